// How many sessions at once: in all and per source address; each place is given back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Limits } from "../../../src/server/limits.js";
import { LocalPlaces } from "../../../src/server/shared-counts.js";

test("so many from one source, so many in all, and the reason names the key to change", async () => {
  const limits = new Limits({ sessions: 3, sessionsPerSource: 2 }, new LocalPlaces());
  assert.equal(await limits.acquire("a"), null);
  assert.equal(await limits.acquire("a"), null);
  assert.match((await limits.acquire("a")) ?? "", /a has 2 sessions.*limits\.sessionsPerSource/);
  assert.equal(await limits.acquire("b"), null);
  assert.match((await limits.acquire("c")) ?? "", /3 sessions.*limits\.sessions\)/);
  limits.release("a");
  assert.equal(await limits.acquire("c"), null);
  assert.match((await limits.acquire("a")) ?? "", /limits\.sessions\)/);
});

test("a refused session takes no place", async () => {
  const limits = new Limits({ sessions: 2, sessionsPerSource: 1 }, new LocalPlaces());
  assert.equal(await limits.acquire("a"), null);
  for (let turn = 0; turn < 5; turn += 1) assert.notEqual(await limits.acquire("a"), null);
  assert.equal(await limits.acquire("b"), null);
  limits.release("a");
  assert.equal(await limits.acquire("a"), null);
});

test("whatever comes and goes, the counts are those of the open sessions", async () => {
  const step = fc.record({ source: fc.constantFrom("a", "b", "c"), come: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 0, max: 5 }),
      async (steps, sessions) => {
        const places = new LocalPlaces();
        const limits = new Limits({ sessions, sessionsPerSource: 2 }, places);
        const open: string[] = [];
        for (const { source, come } of steps) {
          const held = open.filter((each) => each === source).length;
          if (come) {
            const room = open.length < sessions && held < 2;
            assert.equal((await limits.acquire(source)) === null, room);
            if (room) open.push(source);
          } else if (held > 0) {
            limits.release(source);
            open.splice(open.indexOf(source), 1);
          }
          assert.equal(places.taken("sessions"), open.length);
        }
      },
    ),
  );
});
