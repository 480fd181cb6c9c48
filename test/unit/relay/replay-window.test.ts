// The window of sequence numbers that were seen, against a list of all of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReplayWindow } from "../../../src/relay/replay-window.js";

function admitAll(numbers: readonly bigint[]): string[] {
  const window = new ReplayWindow();
  return numbers.map((number) => window.admit(number));
}

test("in order, with gaps, late, twice, too late", () => {
  assert.deepEqual(admitAll([7n, 8n, 10n, 9n]), ["new", "new", "new", "new"]);
  assert.deepEqual(admitAll([7n, 7n, 9n, 8n, 8n, 9n]), [
    "new",
    "duplicate",
    "new",
    "new",
    "duplicate",
    "duplicate",
  ]);
  // 64 numbers are looked back on, the newest among them.
  assert.deepEqual(admitAll([100n, 37n, 37n, 36n, 0n]), ["new", "new", "duplicate", "old", "old"]);
  assert.deepEqual(admitAll([100n, 163n, 100n, 164n, 100n]), ["new", "new", "duplicate", "new", "old"]);
  assert.deepEqual(admitAll([0n, 1000n, 1000n, 999n]), ["new", "new", "duplicate", "new"]);
});

test("numbers go round at 2^64", () => {
  const last = 2n ** 64n - 1n;
  assert.deepEqual(admitAll([last - 1n, 0n, last, 0n, last]), [
    "new",
    "new",
    "new",
    "duplicate",
    "duplicate",
  ]);
  assert.deepEqual(admitAll([last, 62n, last, 63n, last]), ["new", "new", "duplicate", "new", "old"]);
});

test("property: nothing is taken twice, and everything of the last 64 once", () => {
  const start = fc.bigInt(0n, 2n ** 64n - 1n);
  const steps = fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(start, steps, (base, offsets) => {
      const window = new ReplayWindow();
      const seen = new Set<bigint>();
      let newest: bigint | null = null;
      let at = 0n;
      for (const offset of offsets) {
        at += BigInt(offset);
        const expected: string =
          newest !== null && newest - at >= 64n ? "old" : seen.has(at) ? "duplicate" : "new";
        assert.equal(window.admit(BigInt.asUintN(64, base + at)), expected);
        if (expected !== "new") continue;
        seen.add(at);
        if (newest === null || at > newest) newest = at;
      }
    }),
  );
});
