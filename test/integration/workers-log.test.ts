/**
 * What is tested: the log of a server of several processes under a flood of clients that nobody reads of. It piles up in
 * no process: who has something to say waits, and so do the clients. When it is read again there is every line, whole,
 * with an audit record for each client.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { residentMemory } from "../support/kernel.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { workersOf } from "../support/workers.js";

/** Clients at a time, and how many would come if nothing held them up: 40 MB of lines. */
const AT_ONCE = 50;
const FLOOD = 40_000;
/** Where nobody has been served for so long, nobody will be. */
const STALLED = 3000;
/** Octets that a process may grow by. */
const GROWTH = 64 << 20;

test("a flood of log lines that nobody reads", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { handshake: "10m", drain: "1h" } });
  const pids = [proxy.pid, ...workersOf(proxy)];

  let came = 0;
  let served = 0;
  /** Clients that talk of something else and are refused, one after the other. */
  async function visit(enough: () => boolean): Promise<void> {
    while (!enough()) {
      came += 1;
      const socket = connect(proxy.port, "127.0.0.1").resume();
      socket.on("error", () => {});
      socket.end(Buffer.of(0x47, 0x45, 0x54));
      await once(socket, "close");
      served += 1;
    }
  }
  let calledOff = false;
  const flood = () => Array.from({ length: AT_ONCE }, () => visit(() => calledOff || came >= FLOOD));

  // What a process needs to serve at all it has by now.
  const warmUp = came + 1000;
  await Promise.all(Array.from({ length: AT_ONCE }, () => visit(() => came >= warmUp)));
  const before = pids.map(residentMemory);

  proxy.output.pause();
  const visitors = flood();
  for (let seen = -1; seen !== served && came < FLOOD; ) {
    seen = served;
    await delay(STALLED);
  }
  assert.ok(came < FLOOD, "the flood was held up");
  for (const [index, pid] of pids.entries()) {
    const grown = residentMemory(pid) - (before[index] as number);
    assert.ok(grown < GROWTH, `${index === 0 ? "the primary" : "a worker"} has grown by ${grown}`);
  }

  calledOff = true;
  proxy.output.resume();
  await Promise.all(visitors);
  proxy.signal("SIGTERM");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const lines = proxy.logs().split("\n").slice(1, -1);
  assert.deepEqual(
    lines.filter((line) => !/^\{.*\}$/.test(line)),
    [],
  );
  const audited = new Set(proxy.audits().map(({ session }) => session));
  assert.equal(audited.size, came);
  assert.equal(proxy.last?.msg, "stopped");
});
