// What is open, in the order in which it came, whichever of it goes first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenList } from "../../../src/server/open-list.js";

function filled(values: readonly string[]): { list: OpenList<string>; remove: Record<string, () => void> } {
  const list = new OpenList<string>();
  const remove = Object.fromEntries(values.map((value) => [value, list.add(value)]));
  return { list, remove };
}

test("the first, one in the middle and the last may go, and others come behind them", () => {
  const { list, remove } = filled(["a", "b", "c", "d", "e"]);
  assert.deepEqual(list.all(), ["a", "b", "c", "d", "e"]);
  for (const value of ["a", "c", "e"]) remove[value]?.();
  assert.deepEqual([list.all(), list.size], [["b", "d"], 2]);
  list.add("f");
  assert.deepEqual(list.all(), ["b", "d", "f"]);
});

test("it may become empty, and be filled again", () => {
  const { list, remove } = filled(["a", "b"]);
  remove.b?.();
  remove.a?.();
  assert.deepEqual([list.all(), list.size], [[], 0]);
  const last = list.add("c");
  assert.deepEqual([list.all(), list.size], [["c"], 1]);
  last();
  assert.equal(list.size, 0);
});

test("what has gone goes no second time, and takes no neighbour along", () => {
  const { list, remove } = filled(["a", "b", "c"]);
  remove.b?.();
  remove.b?.();
  assert.deepEqual([list.all(), list.size], [["a", "c"], 2]);
});

test("the same value may be there twice", () => {
  const list = new OpenList<string>();
  const first = list.add("a");
  list.add("a");
  first();
  assert.deepEqual(list.all(), ["a"]);
});

test("what is listed stays as it was while sessions come and go", () => {
  const { list, remove } = filled(["a", "b"]);
  const all = list.all();
  remove.a?.();
  list.add("c");
  assert.deepEqual(all, ["a", "b"]);
});
