import type { Readable } from "node:stream";

/** Where whole lines go. */
export interface LineSink {
  write(lines: string): void;
  /** Fulfilled when it can take more. */
  room(): Promise<void>;
}

const NEWLINE = 0x0a;

/**
 * Hands on the lines of a worker, each of them whole, and reads no faster than they are taken: a worker that has more to
 * say waits. What comes of a line that a worker's end cut short is left out.
 * @returns when there is nothing more
 */
export async function relayLines(from: Readable, sink: LineSink): Promise<void> {
  let rest: Buffer[] = [];
  for await (const octets of from as AsyncIterable<Buffer>) {
    const end = octets.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      sink.write(Buffer.concat([...rest, octets.subarray(0, end)]).toString());
      rest = [];
      await sink.room();
    }
    if (end < octets.length) rest.push(octets.subarray(end));
  }
}
