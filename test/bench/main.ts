/**
 * npm run bench -- [OPTION]... [NAME]...: measures, all benchmarks or those that are named.
 *   --quick          a few seconds each, once
 *   --workers N      processes of gssocks, 1 unless given
 *   --json FILE      the results, to be kept
 *   --svg FILE       the picture of `bulk` for the docs
 *   --dante PATH     a build of Dante's server with GSS-API, to compare with
 *   --targets        at the end, each target beside what this run measured
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { FastContext } from "../../src/gss/fast-context.js";
import { BENCHMARKS } from "./all.js";
import { FULL, type Options, QUICK, type Row } from "./support/benchmark.js";
import { installedDante } from "./support/dante.js";
import { picture } from "./support/picture.js";
import { table } from "./support/table.js";
import { targets, targetTable } from "./targets.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    workers: { type: "string", default: "1" },
    json: { type: "string" },
    svg: { type: "string" },
    dante: { type: "string" },
    targets: { type: "boolean", default: false },
  },
});
const unknown = positionals.filter((name) => !BENCHMARKS.some((each) => each.name === name));
if (unknown.length > 0) {
  const names = BENCHMARKS.map(({ name }) => name).join(", ");
  console.error(`no such benchmark: ${unknown.join(", ")} (there are: ${names})`);
  process.exit(2);
}

const options: Options = {
  scale: values.quick ? QUICK : FULL,
  workers: Number(values.workers),
  dantes: [
    ...installedDante(),
    ...(values.dante === undefined ? [] : [{ name: "dante-gss", path: values.dante, gss: true }]),
  ],
  progress: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  },
};
const machine = {
  ...{ cpu: cpus()[0]?.model, cpus: cpus().length, node: process.version },
  // libipsec-mb, where it is there, is preferred.
  lanes: FastContext.engines().length > 1,
};
const results: Record<string, { about: string; rows: Row[] }> = {};
console.log(`${machine.cpus} × ${machine.cpu}, Node ${machine.node}`);
for (const { name, about, run } of BENCHMARKS) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const rows = await run(options);
  options.progress("");
  console.log(`\n## ${name}\n\n${about}.\n\n${table(rows)}`);
  results[name] = { about, rows };
}
if (values.targets) console.log(`\n## targets\n\n${targetTable(targets(results, machine))}`);
if (values.json !== undefined) {
  const { scale, workers } = options;
  const whole = { date: new Date().toISOString(), machine, scale, workers, results };
  writeFileSync(values.json, `${JSON.stringify(whole, null, 2)}\n`);
}
if (values.svg !== undefined) writeFileSync(values.svg, picture(results.bulk?.rows ?? []));
