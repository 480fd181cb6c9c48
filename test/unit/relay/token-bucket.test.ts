// The bound on datagrams a second.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "../../../src/relay/token-bucket.js";

test("a second's worth at once, then as time brings them, and never more than a second's worth", () => {
  let now = 5000;
  const bucket = new TokenBucket(10, () => now);
  const taken = (): number => {
    let count = 0;
    while (bucket.take()) count += 1;
    return count;
  };
  assert.equal(taken(), 10);
  now += 99;
  assert.equal(taken(), 0);
  now += 1;
  assert.equal(taken(), 1);
  now += 250;
  assert.equal(taken(), 2);
  now += 50;
  assert.equal(taken(), 1, "halves are kept");
  now += 3_600_000;
  assert.equal(taken(), 10);
});

test("asking often brings no more", () => {
  let now = 0;
  const bucket = new TokenBucket(1000, () => now);
  let count = 0;
  for (; now < 2000; now += 0.125) if (bucket.take()) count += 1;
  assert.ok(count >= 2998 && count <= 3000, String(count));
});
