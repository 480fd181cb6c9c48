/** How many GSS-API calls are on libuv's pool at a time, and in which order they get there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallKind, CallQueue } from "../../../src/gss/call-queue.js";

/** A call that ends when told to. */
class Call {
  started = false;
  readonly done: Promise<void>;
  #end!: () => void;

  constructor(queue: CallQueue, kind: CallKind) {
    const end = new Promise<void>((resolve) => {
      this.#end = resolve;
    });
    this.done = queue.run(kind, () => {
      this.started = true;
      return end;
    });
  }

  async end(): Promise<void> {
    this.#end();
    await this.done;
    await settled();
  }
}

/** Every microtask that was due has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function startedOf(calls: Call[]): boolean[] {
  return calls.map((call) => call.started);
}

test("two at a time, then first come, first served", async () => {
  const queue = new CallQueue();
  const calls = Array.from({ length: 4 }, () => new Call(queue, "local"));
  await settled();
  assert.deepEqual(startedOf(calls), [true, true, false, false]);
  await calls[1]?.end();
  assert.deepEqual(startedOf(calls), [true, true, true, false]);
  await calls[0]?.end();
  assert.deepEqual(startedOf(calls), [true, true, true, true]);
});

test("calls to the network leave a place for local ones", async () => {
  const queue = new CallQueue();
  const network = [new Call(queue, "network"), new Call(queue, "network")];
  const local = new Call(queue, "local");
  await settled();
  assert.deepEqual(startedOf(network), [true, false]);
  assert.equal(local.started, true);
  await local.end();
  assert.deepEqual(startedOf(network), [true, false]);
  await network[0]?.end();
  assert.deepEqual(startedOf(network), [true, true]);
});

test("a limit of one serves both kinds", async () => {
  const queue = new CallQueue(1);
  const calls = [new Call(queue, "network"), new Call(queue, "local")];
  await settled();
  assert.deepEqual(startedOf(calls), [true, false]);
  await calls[0]?.end();
  assert.deepEqual(startedOf(calls), [true, true]);
});

test("a failed call gives its place back", async () => {
  const queue = new CallQueue(1);
  await assert.rejects(
    queue.run("local", () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await queue.run("local", async () => 5), 5);
});

test("a higher limit starts what waits, a bad one is refused", async () => {
  const queue = new CallQueue(1);
  const calls = [new Call(queue, "local"), new Call(queue, "local")];
  await settled();
  queue.setLimit(2);
  await settled();
  assert.deepEqual(startedOf(calls), [true, true]);
  assert.throws(() => queue.setLimit(0), RangeError);
});
