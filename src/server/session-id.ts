import { randomFillSync } from "node:crypto";

const OCTETS = 8;

/** Random octets for 512 sessions: asking the generator costs the same for all of them as for one. */
const pool = Buffer.allocUnsafeSlow(512 * OCTETS);
let used = pool.length;

/** What tells a session from every other, in this process and in all that ran before. */
export function newSessionId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += OCTETS;
  return pool.toString("hex", used - OCTETS, used);
}
