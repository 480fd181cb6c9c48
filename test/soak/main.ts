/**
 * npm run soak -- [--minutes N] [--seed N]: a server under everything at once for a while (10 minutes), with a line of
 * what it holds every ten seconds (more often where there are few) and a verdict at the end. Exits 1 where memory grows, anything stays open, a session
 * has no audit record or an octet is wrong.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { soak } from "./soak.js";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: `${randomInt(2 ** 31)}` },
  },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error("usage: npm run soak -- [--minutes N] [--seed N]");
  process.exit(2);
}
console.log(`${minutes} minutes, seed ${seed}`);
const seconds = minutes * 60;
const interval = Math.min(10, seconds / 20);
const { findings } = await soak({ seconds, interval, seed, tell: console.log });
for (const { what, good } of findings) console.log(`${good ? "good" : "BAD "}  ${what}`);
process.exitCode = findings.every(({ good }) => good) ? 0 : 1;
