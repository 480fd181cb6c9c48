/** The line of `gssocks connect --progress`: three digits and a unit, the rate of the last span, the time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { progressLine } from "../../../src/cli/progress.js";

test("amounts, rate and time", () => {
  const table: [up: number, down: number, before: number, span: number, duration: number, line: string][] = [
    [0, 0, 0, 0, 0, "0 B sent, 0 B received, 0 B/s, 0:00"],
    [999, 1000, 0, 1000, 59_999, "999 B sent, 1.00 kB received, 2.00 kB/s, 0:59"],
    [999_499, 999_500, 0, 1000, 60_000, "999 kB sent, 1.00 MB received, 2.00 MB/s, 1:00"],
    [12_345_678, 3, 12_345_181, 500, 3_725_000, "12.3 MB sent, 3 B received, 1.00 kB/s, 62:05"],
    [5e15, 0, 5e15, 500, 0, "5.00e+3 TB sent, 0 B received, 0 B/s, 0:00"],
  ];
  for (const [up, down, before, span, duration, line] of table)
    assert.equal(progressLine({ up, down }, before, span, duration), line);
});
