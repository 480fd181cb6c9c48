/** Where a worker's log goes: its standard output, which the primary reads. */
import { writeSync } from "node:fs";
import { type GatheredLines, gatheredLines } from "./gathered-lines.js";

/**
 * Writes wait for the primary, and so does the worker then: what is not read does not pile up.
 * @param failed told once, when the primary does not read any more: what is written after that is gone
 */
export function workerLog(failed: () => void): GatheredLines {
  let broken = false;
  return gatheredLines((lines) => {
    const octets = Buffer.from(lines);
    try {
      for (let written = 0; written < octets.length && !broken; )
        written += writeSync(1, octets, written, octets.length - written);
    } catch {
      broken = true;
      failed();
    }
  });
}
