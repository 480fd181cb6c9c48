/** Helpers to look at a sealed stream and to open it again. */
import type { Batch } from "../../../src/relay/batch.js";
import type { ContextProtection } from "../../../src/relay/message-protection.js";

/** What a batch holds, in memory of its own; the batch is released. */
export function drain(batch: Batch): Buffer {
  const octets = Buffer.concat(batch.buffers);
  batch.release();
  return octets;
}

/** A sealed stream as its frames, by RFC 1961 §5. */
export function framesOf(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 4 + stream.readUInt16BE(at + 2);
    if (stream.readUInt16BE(at) !== 0x0103 || end > stream.length) throw new Error(`no whole frame at ${at}`);
    frames.push(stream.subarray(at, end));
    at = end;
  }
  return frames;
}

/** Opens a stream that arrives in pieces of these sizes, taking turns; copies each, as opening is in place. */
export function openIn(protection: ContextProtection, stream: Buffer, sizes: readonly number[]): Buffer {
  const plain: Buffer[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? stream.length;
    plain.push(drain(protection.open(Buffer.from(stream.subarray(at, at + size)))));
    at += size;
  }
  return Buffer.concat(plain);
}
