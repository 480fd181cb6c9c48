/**
 * Each benchmark with next to nothing to do: every row and every figure comes, the octets arrive (the client sees to
 * that), and the table and the picture can be made of them. Nothing is said of how fast anything is.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BENCHMARKS } from "./all.js";
import { type Row, TINY } from "./support/benchmark.js";
import { picture } from "./support/picture.js";
import { table } from "./support/table.js";
import { type Target, targets, targetTable } from "./targets.js";

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
  own: [
    [
      ...each(["nc clear"], ["down", "up"]),
      ...each(["gssocks connect"], ["none", ...SEALED], ["down", "up"]),
    ],
    ["MB/s", "server s/GB", "client s/GB", "both s/GB", "× none"],
  ],
  handshakes: [
    [
      "init + accept",
      "relay",
      ...each(["gssocks"], ["clear", "none", "confidentiality"]),
      ...each(["gssocks"], ["clear", "none", "confidentiality"]).map((work) => `${work}, 2 workers`),
    ],
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
  scale: [
    each(["gssocks"], ["clear", "confidentiality"], ["10", "20"]),
    ["CPU ms", "ms × fewest", "CPU s/GB", "s/GB × fewest", "MB/s"],
  ],
  "event-loop": [
    each(["gssocks confidentiality"], ["bulk down", "bulk up", "handshakes", "handshakes beside bulk"]),
    ["p50 ms", "p99 ms", "max ms"],
  ],
  udp: [
    ["relay", ...LEVELS],
    ["a second", "CPU µs", "client µs", "lost", "× relay", "× no GSS", "× crypto"],
  ],
};

const results: Record<string, { rows: Row[] }> = {};

for (const { name, run } of BENCHMARKS) {
  test(`${name} gives every figure`, async () => {
    const rows = await run({ scale: TINY, workers: 1, dantes: [], progress: () => {} });
    results[name] = { rows };
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

test("every target finds what it speaks of", () => {
  // Beside a Dante; and as many idle sessions as a target is about.
  const dante = { work: "dante-gss confidentiality idle", figures: { "p50 µs": 100, "p99 µs": 200 } };
  const clear = ["down", "up"].map((way) => ({ work: `danted clear ${way} 1`, figures: { "MB/s": 1000 } }));
  const many = {
    work: "gssocks confidentiality 9950",
    figures: { seconds: 5, "KB a session": 20, "MB in all": 300 },
  };
  const whole = {
    ...results,
    echo: { rows: [...(results.echo?.rows ?? []), dante] },
    bulk: { rows: [...(results.bulk?.rows ?? []), ...clear] },
    idle: { rows: [...(results.idle?.rows ?? []), many] },
  };
  const all = targets(whole, { lanes: true });
  // So little work may take no processor time that can be seen: then there is no ratio to it.
  const lacking = all.filter(({ unit, measured }) => measured === null && !/× (none|that)/.test(unit));
  assert.deepEqual(lacking, []);
  assert.equal(targetTable(all).split("\n").length, all.length + 2);
  const without = targets({}, { lanes: true });
  assert.deepEqual(
    without.map(({ measured }) => measured),
    all.map(() => null),
  );
});

test("a target is met up to its limit", () => {
  const target: Target = { work: "work", unit: "s", bound: "at most", limit: 2, measured: 2 };
  const verdict = (changes: Partial<Target>) =>
    targetTable([{ ...target, ...changes }])
      .split("\n")[2]
      ?.split("|")
      .at(-2)
      ?.trim();
  assert.equal(verdict({}), "met");
  assert.equal(verdict({ measured: 2.01 }), "missed");
  assert.equal(verdict({ bound: "at least" }), "met");
  assert.equal(verdict({ bound: "at least", measured: 1.99 }), "missed");
  assert.equal(verdict({ measured: null }), "not measured");
});
