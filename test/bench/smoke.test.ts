/**
 * Each benchmark with next to nothing to do: every row and every figure comes, the octets arrive (the client sees to
 * that), and the table and the picture can be made of them. Nothing is said of how fast anything is.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BENCHMARKS } from "./all.js";
import { TINY } from "./support/benchmark.js";
import { picture } from "./support/picture.js";
import { table } from "./support/table.js";

const SEALED = ["integrity", "confidentiality"];
const KEYS = ["aes256-sha1", "aes256-sha384"];
const LEVELS = ["clear", "none", ...SEALED].map((level) => `gssocks ${level}`);

/** Every combination, the last list's entries following each other fastest. */
function each(...lists: string[][]): string[] {
  return lists.reduce(
    (works, list) => works.flatMap((work) => list.map((word) => `${work} ${word}`.trim())),
    [""],
  );
}

const directions = each(["down", "up"], ["1", "4"]);

/** The works, in any order, and the columns. */
const EXPECTED: Readonly<Record<string, readonly [works: string[], columns: string[]]>> = {
  client: [
    [...directions, "connections", "datagrams"],
    ["MB/s", "CPU s/GB", "a second", "CPU µs"],
  ],
  bulk: [
    [
      ...each(["gss_wrap", "gss_unwrap"], SEALED, KEYS),
      ...each(["relay", "gssocks clear", "gssocks none"], directions),
      ...each(["gssocks"], SEALED, KEYS, directions),
      ...each(["gssocks"], SEALED, KEYS, ["up"], ["1, small tokens", "4, small tokens"]),
    ],
    ["MB/s", "CPU s/GB", "client s/GB", "× relay", "× no GSS", "× crypto"],
  ],
  handshakes: [
    ["init + accept", "relay", "gssocks clear", "gssocks none", "gssocks confidentiality"],
    ["a second", "CPU ms", "client ms", "× relay", "× no GSS", "× crypto"],
  ],
  phases: [
    ["relay", ...LEVELS],
    ["method µs", "context µs", "level µs", "request µs", "all µs", "all p99 µs", "× relay"],
  ],
  echo: [
    each(["relay", "gssocks clear", "gssocks confidentiality"], ["idle", "beside bulk"]),
    ["trips", "p50 µs", "p99 µs", "p99.9 µs", "p50 × relay", "p99 × relay"],
  ],
  idle: [
    ["gssocks clear 20", "gssocks confidentiality 20"],
    ["seconds", "KB a session", "MB in all", "processes"],
  ],
  udp: [
    ["relay", ...LEVELS],
    ["a second", "CPU µs", "client µs", "lost", "× relay", "× no GSS", "× crypto"],
  ],
};

for (const { name, run } of BENCHMARKS) {
  test(`${name} gives every figure`, async () => {
    const rows = await run({ scale: TINY, workers: 1, dantes: [], progress: () => {} });
    const [works, columns] = EXPECTED[name] ?? [[], []];
    assert.deepEqual(rows.map(({ work }) => work).sort(), [...works].sort());
    assert.deepEqual(
      [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))].sort(),
      [...columns].sort(),
    );
    for (const { work, figures } of rows) {
      for (const [column, value] of Object.entries(figures)) {
        // So little work may take no processor time that can be seen: then there is no ratio to it.
        if (value === null) assert.match(column, /×/, work);
        // A garbage collection may give back more than so few sessions take.
        else
          assert.ok(
            Number.isFinite(value) && (value >= 0 || column === "KB a session"),
            `${work}: ${column} is ${value}`,
          );
      }
      for (const speed of ["MB/s", "a second"]) assert.notEqual(figures[speed], 0, `${work}: ${speed}`);
    }
    assert.equal(table(rows).split("\n").length, rows.length + 2);
    if (name === "bulk") assert.equal([...picture(rows).matchAll(/>gssocks /g)].length, 6);
  });
}
