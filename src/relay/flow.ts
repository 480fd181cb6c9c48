import type { Readable, Writable } from "node:stream";
import type { Rate } from "../gss/rate.js";
import { Pace } from "./pace.js";

/**
 * Moves octets from one stream to another, without its end: a slow reader stops the sender, and so do `rates`.
 * @param carried told that there were some
 */
export function flow(from: Readable, to: Writable, rates: readonly Rate[], carried: () => void): void {
  const pace = new Pace(from, to, rates);
  from.on("data", (octets: Buffer) => {
    carried();
    if (to.destroyed) return;
    if (!to.write(octets)) from.pause();
    pace.charge(octets.length);
  });
  to.on("drain", () => {
    carried();
    pace.goOn();
  });
}
