/** Which proxies DNS names, when it is asked again, and what is kept while it fails, on a clock of the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SrvDiscovery } from "../../../src/client/srv-discovery.js";
import { TrustedHosts } from "../../../src/client/trusted-hosts.js";
import type { Services } from "../../../src/gss/service-lookup.js";
import { ManualClock, settled } from "./manual-clock.js";

const failure = (code: string) => Object.assign(new Error(`DNS: ${code}`), { code });

const service = (target: string, port = 1080, priority = 10, weight = 5) => ({
  target,
  port,
  priority,
  weight,
});

function discovery(answers: Record<string, Services | Error>, clock = new ManualClock()) {
  const asked: string[] = [];
  const told: unknown[] = [];
  const found = new SrvDiscovery({
    domain: "example.test",
    trusted: new TrustedHosts(["*.example.test", "proxy.partner.test"]),
    clock,
    lookUp: async (name) => {
      asked.push(name);
      const answer = answers[name] ?? failure("HOST_NOT_FOUND");
      if (answer instanceof Error) throw answer;
      return answer;
    },
    found: (name, proxies, refused) =>
      told.push([name, proxies.map(({ host, port }) => `${host}:${port}`), refused]),
    failed: ({ code }) => told.push(code),
  });
  return { clock, asked, told, found, answers };
}

const OURS = "_gssocks._tcp.example.test";
const ANY = "_socks._tcp.example.test";

test("our own name first, the common one where there is none", async () => {
  for (const none of [failure("HOST_NOT_FOUND"), failure("NO_DATA")]) {
    const { asked, told } = discovery({
      [OURS]: none,
      [ANY]: { services: [service("a.example.test")], ttl: 60 },
    });
    await settled();
    assert.deepEqual(asked, [OURS, ANY]);
    assert.deepEqual(told, [[ANY, ["a.example.test:1080"], []]]);
  }
  const { asked, told } = discovery({
    [OURS]: { services: [service("b.example.test")], ttl: 60 },
    [ANY]: { services: [service("a.example.test")], ttl: 60 },
  });
  await settled();
  assert.deepEqual([asked, told], [[OURS], [[OURS, ["b.example.test:1080"], []]]]);
});

test("a server that does not answer is no reason to take the weaker name", async () => {
  const { asked, told } = discovery({
    [OURS]: failure("TRY_AGAIN"),
    [ANY]: { services: [service("a.example.test")], ttl: 60 },
  });
  await settled();
  assert.deepEqual([asked, told], [[OURS], ["TRY_AGAIN"]]);
});

test("only trusted hosts, in one form; the root is no host", async () => {
  const { told } = discovery({
    [OURS]: {
      services: [
        service("A.Example.TEST."),
        service("proxy.partner.test"),
        service("evil.test"),
        service("x.proxy.partner.test"),
        service("b\\046.example.test"),
        service("c.example.test", 0),
        service(""),
        service("."),
      ],
      ttl: 60,
    },
  });
  await settled();
  assert.deepEqual(told, [
    [
      OURS,
      ["a.example.test:1080", "proxy.partner.test:1080"],
      ["evil.test:1080", "x.proxy.partner.test:1080", "b\\046.example.test:1080", "c.example.test:0"],
    ],
  ]);
});

test("a look-up that fails is made again, though it ended later than its time was set", async () => {
  class SlowClock extends ManualClock {
    override after(milliseconds: number, task: () => void): () => void {
      const takeBack = super.after(milliseconds, task);
      void this.pass(1);
      return takeBack;
    }
  }
  const { clock, asked } = discovery({ [OURS]: failure("TRY_AGAIN") }, new SlowClock());
  await settled();
  await clock.pass(10_000);
  // After 1, 2 and 4 seconds.
  assert.deepEqual(asked, [OURS, OURS, OURS, OURS]);
});

test("asked again before the answer ends, between 9 seconds and 54 minutes", async () => {
  for (const [ttl, wait] of [
    [0, 9000],
    [10, 9000],
    [100, 90_000],
    [3600, 3_240_000],
    [2 ** 31 - 1, 3_240_000],
  ] as const) {
    const { clock, asked } = discovery({ [OURS]: { services: [service("a.example.test")], ttl } });
    await settled();
    assert.deepEqual(clock.waits, [wait], `${ttl}`);
    await clock.pass(wait);
    assert.deepEqual(asked, [OURS, OURS]);
  }
});

test("failures are told, and asked about again after pauses that grow to a minute", async () => {
  const { clock, told, found, answers } = discovery({});
  await settled();
  assert.equal(found.error?.code, "NO_SRV_RECORD");
  for (const pause of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    assert.deepEqual(clock.waits, [pause]);
    await clock.pass(pause);
  }
  answers[OURS] = { services: [service("a.example.test")], ttl: 60 };
  await clock.pass(60_000);
  assert.equal(found.error, null);
  assert.deepEqual(told.at(-1), [OURS, ["a.example.test:1080"], []]);
  answers[OURS] = failure("TRY_AGAIN");
  await clock.pass(54_000);
  assert.deepEqual([told.at(-1), clock.waits], ["TRY_AGAIN", [1000]], "begun anew");
});

test("one look-up at a time, and none once it is closed", async () => {
  const { clock, asked, found } = discovery({ [OURS]: { services: [service("a.example.test")], ttl: 60 } });
  assert.equal(found.lookNow(), found.lookNow());
  await found.lookNow();
  assert.equal(asked.length, 1);
  assert.equal(clock.waits.length, 1);
  await clock.pass(999);
  await found.lookNow();
  assert.equal(asked.length, 1, "it was a moment ago");
  await clock.pass(1);
  await found.lookNow();
  assert.deepEqual([asked.length, clock.waits.length], [2, 1], "the timer of before is taken back");
  found.close();
  await clock.pass(3_600_000);
  assert.equal(asked.length, 2);
});
