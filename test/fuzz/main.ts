/**
 * Runs the fuzz targets with new seeds for a while: `node dist/test/fuzz/main.js --seconds N [--target NAME]`, and one
 * run again with `--target NAME --seed S`. Exits 1, with the seed and the smallest case, where a property does not hold.
 */
import { parseArgs } from "node:util";
import fc from "fast-check";
import { PROPERTIES } from "./properties.js";

const RUNS = 2000;

const { values } = parseArgs({
  options: { seconds: { type: "string" }, target: { type: "string" }, seed: { type: "string" } },
});
const seconds = Number(values.seconds ?? 60);
const chosen = Object.entries(PROPERTIES).filter(([name]) => name === (values.target ?? name));
if (chosen.length === 0 || !(seconds > 0)) {
  console.error(`usage: --seconds N [--target ${Object.keys(PROPERTIES).join("|")}] [--seed S]`);
  process.exit(2);
}

let runs = 0;
const until = performance.now() + seconds * 1000;
do {
  for (const [name, property] of chosen) {
    const seed = values.seed === undefined ? (Math.random() * 2 ** 31) | 0 : Number(values.seed);
    const result = fc.check(property, { seed, numRuns: RUNS });
    runs += result.numRuns;
    if (result.failed) {
      console.error(`${name}: ${fc.defaultReportMessage(result)}`);
      process.exit(1);
    }
  }
} while (values.seed === undefined && performance.now() < until);
console.log(`${runs} runs of ${chosen.map(([name]) => name).join(", ")}: nothing found`);
