/** The soak, a few seconds of it: all of the mix runs, nothing stays open, and its verdict on memory can be either. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { soak } from "./soak.js";
import { growth, type Sample } from "./verdict.js";

const seed = Number(process.env.TRANSFER_SEED ?? randomInt(2 ** 31));

test(`a short soak, seed ${seed}`, async (t) => {
  const { samples, findings } = await soak({
    seconds: 3,
    interval: 1,
    seed,
    tell: (line) => t.diagnostic(line),
  });
  assert.ok(samples.length > 0);
  assert.deepEqual(
    findings.filter(({ good }) => !good),
    [],
  );
});

test("memory is flat, or it grows", () => {
  const samples = (memory: (index: number) => number) =>
    Array.from({ length: 60 }, (_, index) => ({ memory: memory(index) }) as Sample);
  const good = (memory: (index: number) => number) =>
    growth("memory", samples(memory), (sample) => sample.memory).good;
  const MB = 2 ** 20;
  assert.equal(
    good(() => 200 * MB),
    true,
  );
  // Only while it warms up.
  assert.equal(
    good((index) => Math.min(index, 11) * 20 * MB),
    true,
  );
  assert.equal(
    good((index) => (200 + index) * MB),
    false,
  );
  // Now and then there is more to do.
  assert.equal(
    good((index) => (index % 7 === 0 ? 400 : 200) * MB),
    true,
  );
});
