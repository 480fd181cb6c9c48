/** Data whose arrival, whole and in order, is told by a sum at each end. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";

export interface Sum {
  octets: number;
  sha256: string;
}

/**
 * Writes as fast as the stream takes it, each chunk different from the others; then ends the stream.
 * @param enough whether the octets written so far will do; it is asked before each chunk of 50000
 */
export async function pour(output: Writable, enough: (written: number) => boolean): Promise<Sum> {
  const hash = createHash("sha256");
  const block = createHash("shake256", { outputLength: 50_000 }).update("a block").digest();
  let octets = 0;
  while (!enough(octets)) {
    const chunk = Buffer.from(block);
    chunk.writeUInt32BE(octets / block.length, 0);
    hash.update(chunk);
    octets += chunk.length;
    if (!output.write(chunk)) await once(output, "drain");
  }
  output.end();
  await finished(output, { readable: false });
  return { octets, sha256: hash.digest("hex") };
}

/** Reads to the end. */
export async function drink(input: Readable): Promise<Sum> {
  const hash = createHash("sha256");
  let octets = 0;
  input.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    octets += chunk.length;
  });
  await finished(input, { writable: false });
  return { octets, sha256: hash.digest("hex") };
}
