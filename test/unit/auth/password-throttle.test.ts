// How often passwords may be guessed: by name, by source, with attempts at once, and with bounded memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Outcome, PasswordThrottle, type ThrottleOptions } from "../../../src/auth/password-throttle.js";
import { PolicyError } from "../../../src/errors.js";

const never = () => new AbortController().signal;

class Clock {
  time = 0;
  readonly throttle: PasswordThrottle;

  constructor(options: Omit<ThrottleOptions, "now"> = {}) {
    const allowances = { name: { burst: 3, forgiven: 1000 }, source: { burst: 5, forgiven: 100 } };
    this.throttle = new PasswordThrottle({ now: () => this.time, ...allowances, ...options });
  }

  async attempt(name: string, source: string, outcome: Outcome): Promise<"begun" | "throttled"> {
    try {
      (await this.throttle.begin(name, source, never()))(outcome);
      return "begun";
    } catch (error) {
      assert.ok(error instanceof PolicyError && error.code === "THROTTLED", String(error));
      return "throttled";
    }
  }

  /** How many wrong ones are let through, of `count`. */
  async wrong(
    count: number,
    name: (index: number) => string,
    source: (index: number) => string,
  ): Promise<number> {
    let begun = 0;
    for (let index = 0; index < count; index++)
      if ((await this.attempt(name(index), source(index), "wrong")) === "begun") begun++;
    return begun;
  }
}

test("a name has its failures from wherever they come, and is forgiven one after the other", async () => {
  const clock = new Clock();
  const source = (index: number) => `192.0.2.${index}`;
  assert.equal(await clock.wrong(20, () => "alice", source), 3);
  assert.equal(await clock.attempt("alice", "192.0.2.99", "right"), "throttled");
  assert.equal(await clock.attempt("bob", "192.0.2.99", "wrong"), "begun");
  clock.time = 999;
  assert.equal(await clock.attempt("alice", "192.0.2.99", "right"), "throttled");
  clock.time = 1000;
  assert.equal(await clock.wrong(20, () => "alice", source), 1);
  clock.time = 1_000_000;
  assert.equal(await clock.wrong(20, () => "alice", source), 3);
});

test("a source has its failures whatever the names, and so does an IPv6 network", async () => {
  const name = (index: number) => `user${index}`;
  for (const source of [
    () => "192.0.2.1",
    (index: number) => (index % 2 ? "192.0.2.1" : "::ffff:192.0.2.1"),
    (index: number) => `2001:db8:0:1::${index}`,
  ])
    assert.equal(await new Clock().wrong(20, name, source), 5);
  assert.equal(await new Clock().wrong(20, name, (index) => `2001:db8:0:${index}::1`), 20);
});

test("the refusal says what for and how long", async () => {
  const clock = new Clock();
  await clock.wrong(
    3,
    () => "alice",
    () => "192.0.2.1",
  );
  await assert.rejects(clock.throttle.begin("alice", "192.0.2.1", never()), /for this name: again in 1 s/);
  await clock.wrong(
    3,
    (index) => `user${index}`,
    () => "192.0.2.1",
  );
  await assert.rejects(clock.throttle.begin("bob", "192.0.2.1", never()), /from this address: again in 1 s/);
});

test("spellings that a directory or a KDC takes for one name share one count", async () => {
  const spellings = [
    "alice",
    "ALICE",
    "Alíce",
    "al\u00adice",
    " alice ",
    "ａｌｉｃｅ",
    "alice@EXAMPLE.TEST",
    "al\u200bice",
  ];
  const clock = new Clock();
  assert.equal(
    await clock.wrong(
      8,
      (index) => spellings[index] ?? "",
      (index) => `192.0.2.${index}`,
    ),
    3,
  );
  assert.equal(await clock.attempt("alicia", "192.0.2.99", "wrong"), "begun");
  assert.equal(await clock.attempt("@alice", "192.0.2.98", "wrong"), "begun");
});

test("what could not be judged counts for nothing, and right passwords neither", async () => {
  const clock = new Clock();
  for (let times = 0; times < 20; times++) {
    assert.equal(await clock.attempt("alice", "192.0.2.1", "unknown"), "begun");
    assert.equal(await clock.attempt("alice", "192.0.2.1", "right"), "begun");
  }
  assert.equal(
    await clock.wrong(
      20,
      () => "alice",
      () => "192.0.2.1",
    ),
    3,
  );
});

test("guesses from elsewhere keep nobody out who was let in from here", async () => {
  const clock = new Clock();
  assert.equal(await clock.attempt("alice", "192.0.2.1", "right"), "begun");
  assert.equal(
    await clock.wrong(
      20,
      () => "alice",
      (index) => `198.51.100.${index}`,
    ),
    3,
  );
  assert.equal(await clock.attempt("alice", "198.51.100.99", "right"), "throttled");
  assert.equal(await clock.attempt("alice", "192.0.2.1", "right"), "begun");
  // Not without limit from there either.
  assert.equal(
    await clock.wrong(
      20,
      () => "alice",
      () => "192.0.2.1",
    ),
    3,
  );
  assert.equal(await clock.attempt("alice", "192.0.2.1", "right"), "throttled");
});

/** Begins `count` at once; what has been settled of them by the time everything has come to rest. */
function atOnce(clock: Clock, count: number, name = "alice", signal?: AbortSignal) {
  const begun: ((outcome: Outcome) => void)[] = [];
  const refused: unknown[] = [];
  for (let index = 0; index < count; index++)
    void clock.throttle.begin(name, "192.0.2.1", signal ?? never()).then(
      (settle) => begun.push(settle),
      (error) => refused.push(error),
    );
  return { begun, refused, rest: () => new Promise((resolve) => setImmediate(resolve)) };
}

test("many right passwords at once all get in, no more at a time than may fail", async () => {
  const clock = new Clock();
  const { begun, refused, rest } = atOnce(clock, 50);
  await rest();
  assert.equal(begun.length, 3);
  for (let index = 0; index < 50; index++) {
    begun[index]?.("right");
    await rest();
  }
  assert.deepEqual([begun.length, refused.length], [50, 0]);
});

test("many wrong passwords at once are no more guesses than one after the other", async () => {
  const clock = new Clock();
  const { begun, refused, rest } = atOnce(clock, 50);
  await rest();
  for (let index = 0; index < 3; index++) begun[index]?.("wrong");
  await rest();
  assert.deepEqual([begun.length, refused.length], [3, 47]);
});

test("all names together have a bound on what is under way", async () => {
  const clock = new Clock({ underWay: 2 });
  const attempts = [0, 1, 2, 3].map((index) => atOnce(clock, 1, `user${index}`));
  await attempts[0]?.rest();
  assert.deepEqual(
    attempts.map(({ begun }) => begun.length),
    [1, 1, 0, 0],
  );
  attempts[1]?.begun[0]?.("unknown");
  await attempts[0]?.rest();
  assert.deepEqual(
    attempts.map(({ begun }) => begun.length),
    [1, 1, 1, 0],
  );
});

test("who gives up waiting leaves the queue", async () => {
  const clock = new Clock({ underWay: 1 });
  const first = atOnce(clock, 1);
  const given = new AbortController();
  const second = atOnce(clock, 1, "bob", given.signal);
  const third = atOnce(clock, 1, "carol");
  given.abort("late");
  await first.rest();
  assert.deepEqual(second.refused, ["late"]);
  first.begun[0]?.("right");
  await first.rest();
  assert.deepEqual([second.begun.length, third.begun.length], [0, 1]);
});

test("no more is remembered than there is room for: the oldest is forgotten first", async () => {
  const clock = new Clock({ capacity: 4 });
  const fresh = (index: number) => `198.51.${index}.1`;
  assert.equal(await clock.wrong(3, () => "alice", fresh), 3);
  assert.equal(await clock.wrong(3, (index) => `user${index}`, fresh), 3);
  assert.equal(await clock.attempt("alice", "192.0.2.1", "wrong"), "throttled");
  assert.equal(await clock.wrong(4, (index) => `other${index}`, fresh), 4);
  assert.equal(await clock.attempt("alice", "192.0.2.1", "wrong"), "begun");
});
