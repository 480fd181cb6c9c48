// What sessions may take of the limits: each place is given back, what is used up comes back by itself, nothing is half taken.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { SessionLimits } from "../../../src/config/limits.js";
import type { Allowance } from "../../../src/policy/terms.js";
import { Accounts } from "../../../src/server/accounts.js";
import { type Full, Limits } from "../../../src/server/limits.js";
import { RateBook } from "../../../src/server/rate-book.js";
import { SessionQuota } from "../../../src/server/session-quota.js";
import { LocalPlaces } from "../../../src/server/shared-counts.js";

const NONE: Allowance = { sessions: null, sessionsPerMinute: null, bytesPerDay: null, bandwidth: null };

function scene(given: Partial<SessionLimits>) {
  const clock = { now: 0 };
  const places = new LocalPlaces(() => clock.now);
  const rates = new RateBook();
  const limits = new Limits(
    { ...NONE, perSource: NONE, perUser: NONE, ...given },
    { places, rates, accounts: new Accounts() },
  );
  return { clock, places, rates, limits };
}

async function enter(limits: Limits, source: string): Promise<SessionQuota> {
  const quota = await limits.begin(source);
  assert.ok(quota instanceof SessionQuota, (quota as Full).reason);
  return quota;
}

async function refusal(limits: Limits, source: string): Promise<string> {
  const full = await limits.begin(source);
  assert.ok(!(full instanceof SessionQuota));
  return `${full.limit}: ${full.reason}`;
}

test("so many from one source, so many in all, and the reason names the key to change", async () => {
  const { limits } = scene({ sessions: 3, perSource: { ...NONE, sessions: 2 } });
  const first = await enter(limits, "a");
  await enter(limits, "a");
  const full =
    "limits.perSource.sessions: 2 sessions are open from a, which is the limit (limits.perSource.sessions)";
  assert.equal(await refusal(limits, "a"), full);
  await enter(limits, "b");
  assert.match(await refusal(limits, "c"), /^limits\.sessions: 3 sessions are open, which is the limit/);
  first.end();
  first.end();
  await enter(limits, "c");
  assert.match(await refusal(limits, "a"), /^limits\.sessions:/);
});

test("a refused session takes no place", async () => {
  const { limits } = scene({ sessions: 2, perSource: { ...NONE, sessions: 1 } });
  const quota = await enter(limits, "a");
  for (let turn = 0; turn < 5; turn += 1) await refusal(limits, "a");
  await enter(limits, "b");
  quota.end();
  await enter(limits, "a");
});

test("a user's sessions share what is theirs, wherever they come from", async () => {
  const { limits } = scene({ perUser: { ...NONE, sessions: 1 } });
  const [here, there] = [await enter(limits, "a"), await enter(limits, "b")];
  assert.equal(await here.join([limits.ofUser("alice")]), null);
  assert.match((await there.join([limits.ofUser("alice")]))?.reason ?? "", /1 sessions are open of alice/);
  assert.equal(await there.join([limits.ofUser("bob")]), null);
  here.end();
  assert.equal(await (await enter(limits, "a")).join([limits.ofUser("alice")]), null);
});

test("one that ends while it is still to be admitted holds nothing", async () => {
  const { limits, places } = scene({ perUser: { ...NONE, sessions: 1 } });
  const quota = await enter(limits, "a");
  const joining = quota.join([limits.ofUser("alice")]);
  quota.end();
  await joining;
  assert.equal(places.taken("sessions of alice"), 0);
});

test("so many a minute, which come back one by one", async () => {
  const { clock, limits } = scene({ sessionsPerMinute: 6 });
  for (let turn = 0; turn < 6; turn += 1) (await enter(limits, "a")).end();
  assert.match(await refusal(limits, "a"), /6 sessions were opened in a minute/);
  clock.now += 10_000;
  (await enter(limits, "a")).end();
  await refusal(limits, "a");
  clock.now += 60_000;
  for (let turn = 0; turn < 6; turn += 1) (await enter(limits, "a")).end();
});

test("so many bytes a day: those that carry them are told, and the next are refused until some have come back", async () => {
  const { clock, limits } = scene({ bytesPerDay: 86_400_000 });
  const quota = await enter(limits, "a");
  const carried = { up: 0, down: 0 };
  const told: Full[] = [];
  quota.count(
    () => carried,
    (full) => told.push(full),
  );
  carried.up = 50_000_000;
  quota.settle();
  await Promise.resolve();
  assert.deepEqual(told, []);
  carried.down = 40_000_000;
  quota.settle();
  await new Promise(setImmediate);
  assert.deepEqual(
    told.map(({ limit }) => limit),
    ["limits.bytesPerDay"],
  );
  quota.end();
  assert.match(await refusal(limits, "a"), /86400000 bytes were carried in a day/);
  clock.now += 1000;
  await refusal(limits, "a");
  clock.now += 864_000;
  await enter(limits, "a");
});

test("what is carried at the very end counts, too", async () => {
  const { limits } = scene({ bytesPerDay: 1000 });
  const quota = await enter(limits, "a");
  quota.count(
    () => ({ up: 999, down: 1 }),
    () => assert.fail("it has ended"),
  );
  quota.end();
  assert.match(await refusal(limits, "a"), /bytesPerDay/);
});

test("sessions that share a bandwidth have the same rate, which goes when the last of them has", async () => {
  const bandwidth = { up: 1000, down: null };
  const { limits, rates } = scene({ bandwidth, perSource: { ...NONE, bandwidth } });
  const [one, two, other] = [await enter(limits, "a"), await enter(limits, "a"), await enter(limits, "b")];
  const [first, second, third] = [one, two, other].map((quota) => quota.rates(null));
  assert.deepEqual([first?.up.length, first?.down.length], [2, 0]);
  assert.ok(first?.up.every((rate, index) => rate === second?.up[index]));
  assert.ok(first?.up[0] === third?.up[0] && first?.up[1] !== third?.up[1]);
  for (const quota of [one, two, other]) quota.end();
  assert.equal(rates.size, 0);
});

test("a bandwidth of its own is the session's alone", async () => {
  const { limits, rates } = scene({});
  const [one, two] = [await enter(limits, "a"), await enter(limits, "a")];
  const own = { up: null, down: 5000 };
  const [first, second] = [one.rates(own), two.rates(own)];
  assert.deepEqual([first.up.length, first.down.length, rates.size], [0, 1, 0]);
  assert.notEqual(first.down[0], second.down[0]);
});

test("whatever comes and goes, the counts are those of the open sessions", async () => {
  const step = fc.record({ source: fc.constantFrom("a", "b", "c"), come: fc.boolean() });
  const steps = fc.array(step, { maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 5 }), async (turns, sessions) => {
      const { limits, places } = scene({ sessions, perSource: { ...NONE, sessions: 2 } });
      const open: { source: string; quota: SessionQuota }[] = [];
      for (const { source, come } of turns) {
        const held = open.filter((each) => each.source === source);
        if (come) {
          const room = open.length < sessions && held.length < 2;
          const quota = await limits.begin(source);
          assert.equal(quota instanceof SessionQuota, room);
          if (quota instanceof SessionQuota) open.push({ source, quota });
        } else if (held[0] !== undefined) {
          held[0].quota.end();
          open.splice(open.indexOf(held[0]), 1);
        }
        assert.equal(places.taken("sessions"), open.length);
      }
    }),
  );
});
