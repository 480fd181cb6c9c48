import type { Writable } from "node:stream";

/** Octets to write, and what to call once they have been written (or never will be). */
export interface Batch {
  readonly buffers: readonly Buffer[];
  release(): void;
}

/** Writes a whole batch in one go, so that no frame is cut into several writes; then calls `written`, if given. */
export function writeBatch(to: Writable, batch: Batch, written?: (error?: Error | null) => void): void {
  const { buffers } = batch;
  const last = buffers.length - 1;
  const done = (error?: Error | null) => {
    batch.release();
    written?.(error);
  };
  if (last < 0) return done();
  if (last > 0) to.cork();
  for (const [index, buffer] of buffers.entries()) to.write(buffer, index === last ? done : undefined);
  if (last > 0) to.uncork();
}
