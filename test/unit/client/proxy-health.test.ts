/** When a proxy counts as up or down, and when it is checked, on a clock of the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ProxyFailure, ProxyHealth } from "../../../src/client/proxy-health.js";
import { NetworkError } from "../../../src/errors.js";
import { ManualClock, settled } from "./manual-clock.js";

const DEAD = new NetworkError("PROXY_UNREACHABLE", "connection refused");

function health() {
  const clock = new ManualClock();
  const changes: (ProxyFailure | null)[] = [];
  const state = { checks: 0, dead: true, signal: null as AbortSignal | null };
  const health = new ProxyHealth({
    clock,
    changed: (failure) => changes.push(failure),
    check: async (signal) => {
      state.checks += 1;
      state.signal = signal;
      if (state.dead) throw DEAD;
    },
  });
  return { clock, health, changes, state };
}

test("unknown at first; the first success is no news", async () => {
  const { clock, health: proxy, changes, state } = health();
  assert.deepEqual([proxy.state, proxy.since, proxy.failure], ["unknown", clock.now(), null]);
  await clock.pass(5000);
  proxy.succeeded(clock.now());
  assert.deepEqual([proxy.state, proxy.since], ["up", clock.now()]);
  await clock.pass(3_600_000);
  assert.deepEqual([state.checks, changes], [0, []], "who is not down is not checked");
});

test("down by a failure, checked after pauses that grow to a minute, up by the first check that succeeds", async () => {
  const { clock, health: proxy, changes, state } = health();
  proxy.failed(DEAD, clock.now());
  assert.equal(proxy.state, "down");
  assert.deepEqual(changes, [
    { code: "PROXY_UNREACHABLE", message: "connection refused", time: clock.now() },
  ]);
  for (const pause of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    assert.deepEqual(clock.waits, [pause]);
    assert.equal(proxy.nextCheck, clock.now() + pause);
    await clock.pass(pause);
  }
  assert.equal(state.checks, 8);
  assert.deepEqual(proxy.failures, { all: 9, inARow: 9 });
  assert.equal(changes.length, 1, "told once");
  state.dead = false;
  await clock.pass(60_000);
  assert.deepEqual([proxy.state, proxy.since, clock.waits], ["up", clock.now(), []]);
  assert.equal(changes[1], null);
  assert.equal(proxy.nextCheck, null);
  assert.deepEqual(proxy.failures, { all: 9, inARow: 9 }, "a check is no connection");
  proxy.succeeded(clock.now());
  assert.deepEqual(proxy.failures, { all: 9, inARow: 0 });
  assert.equal(proxy.failure?.code, "PROXY_UNREACHABLE", "what it was last is still known");
});

test("pauses are a quarter shorter or longer by chance", () => {
  for (const [chance, wait] of [
    [0, 750],
    [0.999999, 1250],
  ] as const) {
    const { clock, health: proxy } = health();
    clock.chance = [chance];
    proxy.failed(DEAD, clock.now());
    assert.equal(Math.round(clock.waits[0] as number), wait);
  }
});

test("one that passes the check and fails all the same is left alone longer and longer", async () => {
  const { clock, health: proxy, state } = health();
  state.dead = false;
  for (const pause of [1000, 2000, 4000, 8000]) {
    proxy.failed(DEAD, clock.now());
    assert.deepEqual(clock.waits, [pause]);
    await clock.pass(pause);
    assert.equal(proxy.state, "up");
  }
  proxy.succeeded(clock.now());
  proxy.failed(DEAD, clock.now());
  assert.deepEqual(clock.waits, [1000], "a success begins anew");
});

test("what began before the last change tells nothing new", async () => {
  const { clock, health: proxy, state } = health();
  const before = clock.now();
  await clock.pass(10);
  proxy.failed(DEAD, clock.now());
  proxy.succeeded(before);
  assert.equal(proxy.state, "down", "it was opened before the proxy went");
  state.dead = false;
  const during = clock.now();
  await clock.pass(1000);
  proxy.failed(DEAD, during);
  assert.equal(proxy.state, "up", "it was tried before the proxy came back");
  proxy.failed(DEAD, clock.now());
  assert.equal(proxy.state, "down");
});

test("a connection that succeeds is quicker than the check", async () => {
  const { clock, health: proxy, state, changes } = health();
  proxy.failed(DEAD, clock.now());
  await clock.pass(500);
  proxy.failed(DEAD, clock.now());
  assert.deepEqual([clock.waits, changes.length], [[500], 1], "one check at a time");
  proxy.succeeded(clock.now());
  assert.deepEqual([proxy.state, clock.waits, state.checks], ["up", [], 0]);
});

test("closed: nothing more is checked or told", async () => {
  const { clock, health: proxy, changes, state } = health();
  proxy.failed(DEAD, clock.now());
  await clock.pass(1000);
  assert.deepEqual([state.signal?.aborted, proxy.nextCheck], [false, clock.now() + 2000]);
  proxy.close();
  assert.equal(proxy.nextCheck, null);
  assert.equal(state.signal?.aborted, true);
  await clock.pass(600_000);
  await settled();
  proxy.failed(DEAD, clock.now());
  proxy.succeeded(clock.now());
  assert.deepEqual([state.checks, changes.length, clock.waits], [1, 1, []]);
});
