import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import { NetworkError } from "../../../src/errors.js";
import { FairPlaces } from "../../../src/relay/fair-places.js";

const busy = (client: string, ahead: number, waiting: number) =>
  new NetworkError("BUSY", `${ahead} of ${waiting} for ${client}`);

const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);

/** Asks, and tells whether a place was there at once. */
function asker(places: FairPlaces) {
  const entered: string[] = [];
  const ask = async (client: string, signal: AbortSignal = NEVER): Promise<void> => {
    await places.acquire(client, signal);
    entered.push(client);
  };
  /** Promises that are settled have had their turn then. */
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { entered, ask, settled };
}

test("alone a quarter; those that come later find a place all the same, until all have one each", async () => {
  const places = new FairPlaces(16, 100, busy);
  const { entered, ask, settled } = asker(places);
  for (let count = 0; count < 20; count += 1) void ask("first");
  await settled();
  assert.equal(entered.length, 4);
  for (let count = 0; count < 20; count += 1) void ask("second");
  await settled();
  assert.deepEqual(entered.splice(0).slice(4), ["second", "second", "second"]);
  const others = Array.from({ length: 9 }, (_, number) => `client ${number}`);
  for (const other of others) void ask(other);
  await settled();
  assert.deepEqual(entered.splice(0), others);
  void ask("one too many");
  await settled();
  assert.deepEqual(entered, []);
  // Twenty others have waited longer, but hold something.
  places.release("client 3");
  await settled();
  assert.deepEqual(entered, ["one too many"]);
});

test("who has waited longest comes first", async () => {
  const places = new FairPlaces(4, 100, busy);
  const { entered, ask, settled } = asker(places);
  for (const client of ["a", "b", "c", "d"]) await ask(client);
  for (const client of ["e", "f", "g"]) void ask(client);
  await settled();
  for (const client of ["a", "b", "c"]) places.release(client);
  await settled();
  assert.deepEqual(entered.slice(4), ["e", "f", "g"]);
});

test("more than its share of the seats is refused, at once and by name", async () => {
  const places = new FairPlaces(1, 8, busy);
  const { ask } = asker(places);
  await ask("first");
  void ask("first");
  void ask("first");
  await assert.rejects(ask("first"), { code: "BUSY", message: "2 of 2 for first" });
  void ask("second");
  void ask("second");
  await assert.rejects(ask("second"), { message: "2 of 4 for second" });
  void ask("third");
  void ask("fourth");
  void ask("fifth");
  void ask("sixth");
  await assert.rejects(ask("seventh"), { message: "0 of 8 for seventh" });
});

test("who gives up leaves the seat, with the signal's reason", async () => {
  const places = new FairPlaces(1, 4, busy);
  const { entered, ask, settled } = asker(places);
  await ask("first");
  const giveUp = new AbortController();
  const left = ask("second", giveUp.signal);
  giveUp.abort(new Error("enough"));
  await assert.rejects(left, /enough/);
  await assert.rejects(ask("second", giveUp.signal), /enough/);
  void ask("second");
  places.release("first");
  await settled();
  assert.deepEqual(entered, ["first", "second"]);
  giveUp.abort();
});

test("whatever comes and goes: bounded, and nobody without a place waits while one is free", async () => {
  const step = fc.record({
    client: fc.constantFrom("a", "b", "c", "d", "e"),
    what: fc.constantFrom("acquire", "acquire", "release", "give up"),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.array(step, { maxLength: 60 }),
      async (all, steps) => {
        const places = new FairPlaces(all, 12, busy);
        const running: string[] = [];
        const waiting: { client: string; giveUp: AbortController }[] = [];
        const count = (client: string) => running.filter((each) => each === client).length;
        for (const { client, what } of steps) {
          if (what === "acquire") {
            const waiter = { client, giveUp: new AbortController() };
            const forget = () => void waiting.splice(waiting.indexOf(waiter), 1);
            waiting.push(waiter);
            places.acquire(client, waiter.giveUp.signal).then(() => {
              forget();
              running.push(client);
            }, forget);
          } else if (what === "release" && count(client) > 0) {
            running.splice(running.indexOf(client), 1);
            places.release(client);
          } else if (what === "give up") {
            waiting.find((waiter) => waiter.client === client)?.giveUp.abort();
          }
          // Two turns of the microtask queue settle all that is to be settled.
          await Promise.resolve();
          await Promise.resolve();
          assert.ok(running.length <= all && waiting.length <= 12);
          for (const waiter of waiting) {
            const fair = count(waiter.client) * 3 >= all - running.length;
            assert.ok(fair, `${waiter.client} waits, ${running} run of ${all}`);
          }
        }
      },
    ),
  );
});
