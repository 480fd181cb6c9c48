// The judgements of an association: once for each destination, again after a while, and never too many at a time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { NetworkError, PolicyError } from "../../../src/errors.js";
import { type Endpoint, formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import {
  ALLOWED_FOR,
  MAX_JUDGING,
  MAX_WAITING,
  REFUSED_FOR,
  UdpDestinations,
} from "../../../src/relay/udp-destinations.js";
import { type Deferred, deferred } from "../../support/deferred.js";

const endpoint = (name: string, port = 53): Endpoint => ({ host: parseHost(name), port });

/** Judgements are answered by the test; what comes of them is in `log`. */
class Scene {
  readonly log: string[] = [];
  readonly asked: Deferred<readonly string[]>[] = [];
  now = 0;
  readonly destinations: UdpDestinations;

  constructor(limit = 100) {
    const { log, asked } = this;
    this.destinations = new UdpDestinations(
      limit,
      {
        judge(dst) {
          log.push(`judge ${formatEndpoint(dst)}`);
          const answer = deferred<readonly string[]>();
          asked.push(answer);
          return answer.promise;
        },
        transmit: ({ ways }, data) => log.push(`${ways[0]} < ${data}`),
        dropped: (reason) => log.push(reason),
        revoked: ({ ways }) => log.push(`revoked ${ways}`),
      },
      () => this.now,
    );
  }

  send(name: string, text: string): void {
    this.destinations.send(endpoint(name), Buffer.from(text));
  }

  /** Answers the oldest open question. */
  async answer(result: readonly string[] | Error): Promise<void> {
    const asked = this.asked.shift();
    assert.ok(asked !== undefined, "nobody asked");
    if (result instanceof Error) asked.reject(result);
    else asked.resolve(result);
    await settled();
  }

  /** What has happened since the last look. */
  look(): string[] {
    return this.log.splice(0);
  }
}

test("judged once; what waited for it goes first", async () => {
  const scene = new Scene();
  scene.send("a.test", "1");
  scene.send("a.test", "2");
  scene.send("a.test", "3");
  assert.deepEqual(scene.look(), ["judge a.test:53", "backlog"]);
  assert.equal(MAX_WAITING, 2);
  await scene.answer(["192.0.2.1", "192.0.2.2"]);
  scene.send("a.test", "4");
  assert.deepEqual(scene.look(), ["192.0.2.1 < 1", "192.0.2.1 < 2", "192.0.2.1 < 4"]);
  scene.now = ALLOWED_FOR - 1;
  scene.send("a.test", "5");
  assert.deepEqual(scene.look(), ["192.0.2.1 < 5"]);
});

test("ports and names are destinations of their own", async () => {
  const scene = new Scene();
  scene.send("a.test", "1");
  await scene.answer(["192.0.2.1"]);
  scene.destinations.send(endpoint("a.test", 54), Buffer.from("2"));
  scene.send("192.0.2.1", "3");
  assert.deepEqual(scene.look(), [
    "judge a.test:53",
    "192.0.2.1 < 1",
    "judge a.test:54",
    "judge 192.0.2.1:53",
  ]);
});

test("judged again after a while, and carried on meanwhile", async () => {
  const scene = new Scene();
  scene.send("a.test", "1");
  await scene.answer(["192.0.2.1"]);
  scene.now = ALLOWED_FOR;
  for (const text of ["2", "3", "4"]) scene.send("a.test", text);
  assert.deepEqual(scene.look().slice(2), [
    "judge a.test:53",
    "192.0.2.1 < 2",
    "192.0.2.1 < 3",
    "192.0.2.1 < 4",
  ]);
  await scene.answer(["192.0.2.9"]);
  scene.send("a.test", "5");
  assert.deepEqual(scene.look(), ["192.0.2.9 < 5"]);
  scene.now += ALLOWED_FOR;
  scene.send("a.test", "6");
  await scene.answer(new PolicyError("RULE_DENIED", "denied"));
  scene.send("a.test", "7");
  assert.deepEqual(scene.look(), ["judge a.test:53", "192.0.2.9 < 6", "revoked 192.0.2.9", "denied"]);
});

test("a refusal holds for a while too, and says which it was", async () => {
  const scene = new Scene();
  scene.send("a.test", "1");
  await scene.answer(new PolicyError("RULE_DENIED", "denied"));
  scene.send("a.test", "2");
  scene.now = REFUSED_FOR;
  scene.send("a.test", "3");
  await scene.answer(new NetworkError("NAME_NOT_FOUND", "no such name"));
  scene.send("a.test", "4");
  assert.deepEqual(scene.look(), [
    "judge a.test:53",
    "denied",
    "denied",
    "judge a.test:53",
    "unreachable",
    "unreachable",
  ]);
});

test("no more than so many judgements at a time", async () => {
  const scene = new Scene();
  for (let number = 0; number < 100; number += 1) scene.send(`n${number}.test`, "x");
  assert.equal(scene.asked.length, MAX_JUDGING);
  assert.equal(scene.destinations.size, MAX_JUDGING, "what is not asked about is not remembered");
  assert.equal(scene.look().filter((line) => line === "backlog").length, 100 - MAX_JUDGING);
  await scene.answer(["192.0.2.1"]);
  scene.send("late.test", "x");
  assert.deepEqual(scene.look(), ["192.0.2.1 < x", "judge late.test:53"]);
});

test("the least recently used destination is forgotten for a new one", async () => {
  const scene = new Scene(2);
  for (const name of ["a.test", "b.test", "a.test", "c.test"]) {
    scene.send(name, name);
    if (scene.asked.length > 0) await scene.answer(["192.0.2.1"]);
  }
  assert.equal(scene.destinations.size, 2);
  scene.look();
  scene.send("a.test", "a");
  assert.deepEqual(scene.look(), ["192.0.2.1 < a"]);
  scene.send("b.test", "b");
  assert.deepEqual(scene.look(), ["judge b.test:53"]);
});

test("one that is forgotten while it is judged", async () => {
  const scene = new Scene(1);
  scene.send("a.test", "1");
  scene.send("b.test", "2");
  await scene.answer(["192.0.2.1"]);
  await scene.answer(["192.0.2.2"]);
  scene.send("a.test", "3");
  assert.deepEqual(scene.look(), [
    "judge a.test:53",
    "judge b.test:53",
    "192.0.2.1 < 1",
    "192.0.2.2 < 2",
    "judge a.test:53",
  ]);
});

test("changed rules hold at once: for what is allowed, what was refused, and what is being judged by the old ones", async () => {
  const scene = new Scene();
  for (const [name, result] of [
    ["two.example", ["192.0.2.1", "192.0.2.2"]],
    ["one.example", ["192.0.2.1"]],
    ["not.example", new PolicyError("RULE_DENIED", "no")],
  ] as const) {
    scene.send(name, "first");
    await scene.answer(result);
  }
  scene.send("late.example", "waits");
  scene.look();

  const asked: string[] = [];
  scene.destinations.judgeAgain((dst, address) => {
    asked.push(`${formatEndpoint(dst)} ${address}`);
    return address !== "192.0.2.1";
  });
  assert.deepEqual(asked, [
    "two.example:53 192.0.2.1",
    "two.example:53 192.0.2.2",
    "one.example:53 192.0.2.1",
  ]);
  assert.deepEqual(scene.look(), ["revoked 192.0.2.1", "revoked 192.0.2.1"]);
  scene.send("two.example", "second");
  assert.deepEqual(scene.look(), ["192.0.2.2 < second"]);
  // What the old rules say of it counts no more, yes or no.
  await scene.answer(["192.0.2.1"]);
  assert.deepEqual(scene.look(), ["judge late.example:53"]);
  await scene.answer(["192.0.2.9"]);
  assert.deepEqual(scene.look(), ["192.0.2.9 < waits"]);
  // Those that are left without an address, and those that were refused, may be allowed by now.
  for (const [name, address] of [
    ["one.example", "192.0.2.3"],
    ["not.example", "192.0.2.4"],
  ] as const) {
    scene.send(name, "third");
    assert.deepEqual(scene.look(), [`judge ${name}:53`]);
    await scene.answer([address]);
    assert.deepEqual(scene.look(), [`${address} < third`]);
  }
});
