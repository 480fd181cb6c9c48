import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { Resolver, type ResolverOptions } from "../../../src/relay/resolver.js";
import { type Deferred, deferred } from "../../support/deferred.js";

const failing = (code: string) => Object.assign(new Error(code), { code });

/** A resolver whose look-ups end when the test says so. */
function slow(options: ResolverOptions = {}) {
  const asked: string[] = [];
  const running = new Map<string, Deferred<string[]>>();
  const time = { now: 0 };
  const resolver = new Resolver({
    lookUp: (name) => {
      asked.push(name);
      const answer = deferred<string[]>();
      running.set(name, answer);
      return answer.promise;
    },
    clock: () => time.now,
    ...options,
  });
  const answer = (name: string, ...addresses: string[]) => running.get(name)?.resolve(addresses);
  const fail = (name: string, code: string) => running.get(name)?.reject(failing(code));
  return { resolver, asked, answer, fail, time };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function failure(promise: Promise<unknown>): Promise<NetworkError> {
  const error = await promise.then(
    () => assert.fail("it was resolved"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof NetworkError, String(error));
  return error;
}

test("one look-up for all who ask meanwhile, whoever they are and however they write it", async () => {
  const { resolver, asked, answer } = slow();
  const all = [
    resolver.resolve("db.example.test", "alice"),
    resolver.resolve("DB.example.test", "bob"),
    resolver.resolve("db.Example.TEST", "alice"),
  ];
  await settled();
  answer("db.example.test", "192.0.2.1");
  assert.deepEqual(await Promise.all(all), [["192.0.2.1"], ["192.0.2.1"], ["192.0.2.1"]]);
  assert.deepEqual(asked, ["db.example.test"]);
});

test("an answer holds for a second, a failure for those who wait alone", async () => {
  const { resolver, asked, answer, fail, time } = slow();
  const first = resolver.resolve("db.test", "alice");
  await settled();
  answer("db.test", "192.0.2.1");
  await first;
  time.now = 999;
  assert.deepEqual(await resolver.resolve("DB.test", "bob"), ["192.0.2.1"]);
  time.now = 1000;
  const both = [failure(resolver.resolve("db.test", "bob")), failure(resolver.resolve("DB.test", "alice"))];
  await settled();
  fail("db.test", "EAI_NONAME");
  const messages = (await Promise.all(both)).map((error) => error.message);
  assert.deepEqual(messages, ["the name db.test does not exist", "the name DB.test does not exist"]);
  const again = resolver.resolve("db.test", "bob");
  await settled();
  answer("db.test", "192.0.2.2");
  assert.deepEqual(await again, ["192.0.2.2"]);
  assert.equal(asked.length, 3);
});

test("what was kept is bounded", async () => {
  let asked = 0;
  const lookUp = async () => {
    asked += 1;
    return ["192.0.2.1"];
  };
  const resolver = new Resolver({ lookUp, clock: () => 0 });
  for (let count = 0; count < 1025; count += 1) await resolver.resolve(`name${count}.test`, "alice");
  await resolver.resolve("name1024.test", "alice");
  assert.equal(asked, 1025);
  await resolver.resolve("name0.test", "alice");
  assert.equal(asked, 1026);
});

test("who asks for slow names waits behind them; nobody else does, not even for a name that waits there", async () => {
  const { resolver, asked, answer } = slow({ places: 8 });
  const slowNames = ["s1.test", "s2.test", "s3.test", "db.test"];
  const waiting = slowNames.map((name) => resolver.resolve(name, "mallory"));
  await settled();
  assert.deepEqual(asked.splice(0), ["s1.test", "s2.test"]);
  const bob = resolver.resolve("db.test", "bob");
  await settled();
  assert.deepEqual(asked.splice(0), ["db.test"]);
  answer("db.test", "192.0.2.1");
  assert.deepEqual([await bob, await waiting[3]], [["192.0.2.1"], ["192.0.2.1"]]);
  assert.deepEqual(asked, [], "bob's place is not mallory's");
  answer("s1.test", "192.0.2.2");
  await waiting[0];
  await settled();
  assert.deepEqual(asked, ["s3.test"]);
  for (const name of ["s2.test", "s3.test"]) answer(name, "192.0.2.3");
  await Promise.all(waiting);
});

test("the place is kept until the thread is free, whoever gave up", async () => {
  const { resolver, asked, answer } = slow({ places: 4 });
  const giveUp = new AbortController();
  const first = failure(resolver.resolve("s1.test", "alice", { signal: giveUp.signal }));
  const second = resolver.resolve("db.test", "alice");
  await settled();
  giveUp.abort();
  const { code, message } = await first;
  assert.deepEqual([code, message], ["LOOKUP_ABORTED", "given up before the name s1.test was looked up"]);
  await settled();
  assert.deepEqual(asked, ["s1.test"]);
  // Who asks for it again meanwhile gets what comes.
  const third = resolver.resolve("s1.test", "bob");
  answer("s1.test", "192.0.2.1");
  assert.deepEqual(await third, ["192.0.2.1"]);
  await settled();
  assert.deepEqual(asked, ["s1.test", "db.test"]);
  answer("db.test", "192.0.2.2");
  assert.deepEqual(await second, ["192.0.2.2"]);
});

test("what was given up while it waited is never looked up, unless somebody else still wants it", async () => {
  const { resolver, asked, answer } = slow({ places: 4 });
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const first = resolver.resolve("s1.test", "alice");
  const left = ["s2.test", "s3.test"].map((name) => failure(resolver.resolve(name, "alice", { signal })));
  const stays = resolver.resolve("s3.test", "alice");
  assert.equal(
    (await failure(resolver.resolve("s4.test", "bob", { signal: AbortSignal.abort() }))).code,
    "LOOKUP_ABORTED",
  );
  await settled();
  giveUp.abort();
  assert.deepEqual(
    (await Promise.all(left)).map((error) => error.code),
    ["LOOKUP_ABORTED", "LOOKUP_ABORTED"],
  );
  answer("s1.test", "192.0.2.1");
  await first;
  await settled();
  assert.deepEqual(asked, ["s1.test", "s3.test"]);
  answer("s3.test", "192.0.2.3");
  assert.deepEqual(await stays, ["192.0.2.3"]);
});

test("given up in the very moment in which the place was there", async () => {
  const { resolver, asked, answer } = slow({ places: 4 });
  const giveUp = new AbortController();
  const left = failure(resolver.resolve("s1.test", "alice", { signal: giveUp.signal }));
  giveUp.abort();
  assert.equal((await left).code, "LOOKUP_ABORTED");
  const next = resolver.resolve("db.test", "alice");
  await settled();
  assert.deepEqual(asked, ["db.test"], "the place was given back");
  answer("db.test", "192.0.2.1");
  await next;
});

test("the deadline holds for the wait as for the look-up, the caller's where it is sooner: REP 0x04", async () => {
  const { resolver, asked } = slow({ places: 4, timeout: 20 });
  const late = ["s1.test", "s2.test"].map((name) => failure(resolver.resolve(name, "alice")));
  for (const [index, error] of (await Promise.all(late)).entries()) {
    const message = `no answer to the look-up of the name s${index + 1}.test within 0.02 s`;
    assert.deepEqual([error.code, error.rep, error.message], ["LOOKUP_TIMEOUT", 0x04, message]);
  }
  assert.deepEqual(asked, ["s1.test"]);
  const patient = slow();
  const error = await failure(patient.resolver.resolve("s1.test", "alice", { timeout: 10 }));
  assert.equal(error.code, "LOOKUP_TIMEOUT");
});

test("more than may wait are refused, for one client before the others: REP 0x01", async () => {
  const { resolver, asked, answer } = slow({ places: 4, seats: 8 });
  const alice = ["s1.test", "s2.test", "s3.test"].map((name) => resolver.resolve(name, "the user alice"));
  const { code, rep, message } = await failure(resolver.resolve("s4.test", "the user alice"));
  const reason = "too many look-ups of names wait already, 2 of 2 for the user alice";
  assert.deepEqual([code, rep, message], ["TOO_MANY_LOOKUPS", 0x01, reason]);
  // One more for a name that waits already takes no seat.
  const joined = resolver.resolve("s3.test", "the user alice");
  const bob = resolver.resolve("db.test", "the user bob");
  for (const name of ["s1.test", "db.test", "s2.test", "s3.test"]) {
    await settled();
    answer(name, "192.0.2.1");
  }
  await Promise.all([...alice, joined, bob]);
  assert.equal(asked.includes("s4.test"), false);
});

test("families take turns, the first one first, and sixteen addresses are enough", async () => {
  let found: string[] = [];
  const order = async () => [
    ...(await new Resolver({ lookUp: async () => found }).resolve("a.test", "alice")),
  ];
  const v6 = (count: number) => Array.from({ length: count }, (_, n) => `2001:db8::${n}`);
  const v4 = (count: number) => Array.from({ length: count }, (_, n) => `192.0.2.${n}`);
  found = [...v6(3), ...v4(1)];
  assert.deepEqual(await order(), ["2001:db8::0", "192.0.2.0", "2001:db8::1", "2001:db8::2"]);
  found = [...v4(1), ...v6(2)];
  assert.deepEqual(await order(), ["192.0.2.0", "2001:db8::0", "2001:db8::1"]);
  found = [...v4(40), ...v6(40)];
  const many = await order();
  assert.equal(many.length, 16);
  assert.deepEqual(many.slice(0, 3), ["192.0.2.0", "2001:db8::0", "192.0.2.1"]);
});

test("a name that is not there, and one that nobody could tell of: REP 0x04", async () => {
  for (const [code, expected] of [
    ["EAI_NONAME", "NAME_NOT_FOUND"],
    ["EAI_NODATA", "NAME_NOT_FOUND"],
    ["EAI_AGAIN", "NAME_LOOKUP_FAILED"],
    ["EAI_FAIL", "NAME_LOOKUP_FAILED"],
  ] as const) {
    const resolver = new Resolver({ lookUp: async () => Promise.reject(failing(code)) });
    const error = await failure(resolver.resolve("host.test", "alice"));
    assert.deepEqual([error.code, error.rep], [expected, 0x04]);
  }
});

test("the system's resolver knows localhost", async () => {
  const addresses = await new Resolver().resolve("localhost", "alice");
  assert.ok(addresses.length > 0);
  for (const address of addresses) assert.match(address, /^(127\.0\.0\.1|::1)$/);
});
