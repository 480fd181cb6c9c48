/** In which order proxies are tried. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { healthyFirst, listedOrder, srvOrder } from "../../../src/client/proxy-order.js";

test("listed: the first first, or another one each time", () => {
  const listed = ["a", "b", "c"];
  const orders = (order: "first" | "round-robin") =>
    [0, 1, 2, 3].map((turn) => listedOrder(listed, order, turn).join(""));
  assert.deepEqual(orders("first"), ["abc", "abc", "abc", "abc"]);
  assert.deepEqual(orders("round-robin"), ["abc", "bca", "cab", "abc"]);
  assert.deepEqual(listedOrder([], "round-robin", 5), []);
  assert.deepEqual(listed, ["a", "b", "c"]);
});

test("those that are down come last, and are not left out", () => {
  const down = new Set(["a", "c"]);
  assert.deepEqual(
    healthyFirst(["a", "b", "c", "d"], (each) => down.has(each)),
    ["b", "d", "a", "c"],
  );
  assert.deepEqual(
    healthyFirst(["a", "c"], (each) => down.has(each)),
    ["a", "c"],
  );
});

test("SRV: by priority, then by weight (RFC 2782)", () => {
  const proxies = [
    { name: "backup", priority: 20, weight: 100 },
    { name: "small", priority: 10, weight: 10 },
    { name: "large", priority: 10, weight: 30 },
    { name: "never", priority: 10, weight: 0 },
  ];
  let seed = 1;
  // Numerical Recipes' linear congruential generator: the same draws each time.
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  const firsts: Record<string, number> = {};
  for (let i = 0; i < 10_000; i++) {
    const names = srvOrder(proxies, random).map(({ name }) => name);
    assert.deepEqual([...names].sort(), ["backup", "large", "never", "small"]);
    assert.equal(names[3], "backup");
    firsts[names[0] as string] = (firsts[names[0] as string] ?? 0) + 1;
  }
  const { small = 0, large = 0, never = 0 } = firsts;
  // One draw in 41 is 0, which is that of weight 0; 10 and 30 of the others.
  assert.ok(never > 100 && never < 500, `${never}`);
  assert.ok(large / small > 2.7 && large / small < 3.3, `${large} and ${small}`);
});

test("SRV: all of weight 0, and the ends of chance", () => {
  const proxies = [
    { name: "a", priority: 1, weight: 0 },
    { name: "b", priority: 1, weight: 0 },
  ];
  for (const chance of [0, 0.5, 0.999999999]) assert.equal(srvOrder(proxies, () => chance).length, 2);
  const one = [{ name: "a", priority: 1, weight: 65535 }];
  for (const chance of [0, 0.999999999]) assert.equal(srvOrder(one, () => chance).length, 1);
  assert.deepEqual(
    srvOrder([], () => 0),
    [],
  );
});
