// Calls between two ends: in order, answered at once or later, those of a turn in one message, and what a lost end means.
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { Channel, type Port } from "../../../src/workers/channel.js";
import { deferred } from "../../support/deferred.js";

interface Calls {
  double(value: number): number;
  later(value: string): string;
  note(text: string): void;
}

/** Two ends that tell each other in JSON, as processes do. */
function ports() {
  const [left, right] = [new EventEmitter(), new EventEmitter()];
  const end = (from: EventEmitter, to: EventEmitter) => {
    /** How many calls and answers each message had. */
    const sent: number[] = [];
    const send = (message: unknown) => {
      sent.push((message as unknown[]).length);
      const text = JSON.stringify(message);
      setImmediate(() => to.emit("message", JSON.parse(text)));
      return true;
    };
    return Object.assign(from, { connected: true, send, sent }) satisfies Port;
  };
  return [end(left, right), end(right, left)] as const;
}

function pair() {
  const [left, right] = ports();
  const notes: string[] = [];
  const ready = deferred<string>();
  new Channel<object, Calls>(right, {
    double: (value) => 2 * value,
    later: async (value) => `${value}, ${await ready.promise}`,
    note: (text) => void notes.push(text),
  });
  return { asking: new Channel<Calls, object>(left, {}), notes, ready, left, right };
}

test("each call has its own answer, and those of one turn go together", async () => {
  const { asking, notes, ready, left, right } = pair();
  const slow = asking.call("later", "slow");
  asking.tell("note", "first");
  const quick = [asking.call("double", 1), asking.call("double", 21)];
  asking.tell("note", "second");
  assert.deepEqual(await Promise.all(quick), [2, 42]);
  assert.deepEqual(notes, ["first", "second"]);
  ready.resolve("but done");
  assert.equal(await slow, "slow, but done");
  assert.deepEqual([left.sent, right.sent], [[5], [2, 1]]);
});

test("whoever asks an end that is gone learns it", async () => {
  const { asking, left } = pair();
  const waiting = asking.call("later", "never");
  left.connected = false;
  asking.close(new Error("gone"));
  await assert.rejects(waiting, /^Error: gone$/);
  await assert.rejects(asking.call("double", 1), /^Error: gone$/);
  asking.tell("note", "nobody hears it");
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(left.sent, []);
});
