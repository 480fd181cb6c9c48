import type { Readable, Writable } from "node:stream";
import type { Rate } from "../gss/rate.js";

/**
 * Moves octets from one stream to another, without its end: a slow reader stops the sender, and so do `rates`.
 * @param carried told that there were some
 */
export function flow(from: Readable, to: Writable, rates: readonly Rate[], carried: () => void): void {
  let waits = false;
  const goOn = () => {
    if (!waits && !to.writableNeedDrain) from.resume();
  };
  from.on("data", (octets: Buffer) => {
    carried();
    if (to.destroyed) return;
    if (!to.write(octets)) from.pause();
    const wait = rates.reduce((longest, rate) => Math.max(longest, rate.charge(octets.length)), 0);
    if (wait === 0) return;
    waits = true;
    from.pause();
    setTimeout(() => {
      waits = false;
      goOn();
    }, wait).unref();
  });
  to.on("drain", () => {
    carried();
    goOn();
  });
}
