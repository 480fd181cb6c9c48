// Which listeners stay when the list changes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listenerChanges } from "../../../src/server/listener-changes.js";

const at = (text: string) => {
  const [host = "", port] = text.split(" ");
  return { host, port: Number(port) };
};

function changes(open: string[], wanted: string[]): [(string | null)[], string[]] {
  const { kept, removed } = listenerChanges(
    open.map((name) => ({ name, at: at(name.replace(/#.*/, "")) })),
    wanted.map(at),
  );
  return [kept.map((each) => each?.name ?? null), removed.map(({ name }) => name)];
}

test("those with the same address and port, wherever they are in the list", () => {
  assert.deepEqual(changes([], ["::1 1"]), [[null], []]);
  assert.deepEqual(changes(["a 1", "b 1", "a 2"], ["a 2", "c 1", "a 1"]), [["a 2", null, "a 1"], ["b 1"]]);
  assert.deepEqual(changes([":: 1"], ["0.0.0.0 1"]), [[null], [":: 1"]]);
});

test("with port 0 as many as before, the first of them first", () => {
  assert.deepEqual(changes(["a 0#1", "a 0#2", "a 0#3"], ["a 0", "a 0"]), [["a 0#1", "a 0#2"], ["a 0#3"]]);
  assert.deepEqual(changes(["a 0#1"], ["a 0", "a 0"]), [["a 0#1", null], []]);
});
