/**
 * What is tested: what signals do to a server of several processes with open sessions. Transfers through each worker go
 * on to their end and no new client is taken; when the drain time runs out, or at a second signal, what is left is cut;
 * a signal for the whole process group, as Ctrl-C sends it, is no other, and one for a worker alone does nothing. Each
 * session has its audit record in the output, and the process exits 0.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { type TestContext, test } from "node:test";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { onWorker, workersOf } from "../support/workers.js";

/** Sessions of each worker. */
const EACH = 10;

/** Sessions with an echo, as many with each worker. */
async function sessions(context: TestContext, proxy: ProxyServer): Promise<RawClient[]> {
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  const clients: RawClient[] = [];
  for (const worker of workersOf(proxy)) {
    const its = await onWorker(proxy, worker, () =>
      Promise.all(Array.from({ length: EACH }, () => RawClient.through(proxy, origin))),
    );
    clients.push(...its);
  }
  context.after(() => {
    for (const client of clients) client.close();
  });
  return clients;
}

function audits(proxy: ProxyServer): unknown[][] {
  const records = proxy.audits();
  return records.map(({ client, outcome, code }) => [client, outcome, code]).sort();
}

async function assertExits(proxy: ProxyServer): Promise<void> {
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const lines = proxy.log();
  assert.equal(proxy.last?.msg, "stopped");
  for (const msg of ["draining", "stopped"])
    assert.equal(lines.filter((line) => line.msg === msg).length, 1, msg);
  assert.ok(!lines.some(({ msg }) => msg === "worker died"));
}

/** A signal to the process, or to its group and so to the workers as well. */
const WAYS = {
  "SIGTERM to the process": (proxy: ProxyServer) => proxy.signal("SIGTERM"),
  "SIGINT to its group": (proxy: ProxyServer) => void process.kill(-proxy.pid, "SIGINT"),
};

for (const [way, signal] of Object.entries(WAYS)) {
  test(`${way}: open sessions go on`, async (context) => {
    const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "1h" } });
    const clients = await sessions(context, proxy);
    // Theirs is another's to say.
    for (const worker of workersOf(proxy)) process.kill(worker, "SIGTERM");
    signal(proxy);
    assert.equal((await proxy.waitForLog(({ msg }) => msg === "draining")).sessions, 2 * EACH);
    const [error] = await once(connectTcp(proxy.port, "127.0.0.1"), "error");
    assert.equal(error.code, "ECONNREFUSED");
    assert.deepEqual(audits(proxy), []);
    for (const client of clients) {
      client.send(client.seal(Buffer.from(client.address)));
      assert.equal((await client.open()).toString(), client.address);
      client.socket.end();
      assert.equal((await client.farewell()).how, "end");
    }
    await assertExits(proxy);
    assert.deepEqual(audits(proxy), clients.map(({ address }) => [address, "completed", null]).sort());
  });

  test(`${way}, and again: what is left is cut`, async (context) => {
    const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "1h" } });
    const clients = await sessions(context, proxy);
    signal(proxy);
    await proxy.waitForLog(({ msg }) => msg === "draining");
    signal(proxy);
    await assertAllCut(proxy, clients);
  });
}

test("the drain time runs out", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "200ms" } });
  const clients = await sessions(context, proxy);
  proxy.signal("SIGTERM");
  await assertAllCut(proxy, clients);
});

async function assertAllCut(proxy: ProxyServer, clients: readonly RawClient[]): Promise<void> {
  for (const client of clients)
    assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "reset" });
  await assertExits(proxy);
  assert.deepEqual(audits(proxy), clients.map(({ address }) => [address, "failed", "SERVER_STOPPED"]).sort());
}

test("many signals at once, to all processes, lose no audit record", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "1h" } });
  const clients = await sessions(context, proxy);
  try {
    for (;;) {
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.kill(-proxy.pid, signal);
      await new Promise((turn) => setImmediate(turn));
    }
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
  await assertAllCut(proxy, clients);
});

test("a worker that stands still is not waited for without end", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "0s" } });
  const [still] = workersOf(proxy) as [number];
  process.kill(still, "SIGSTOP");
  proxy.signal("SIGTERM");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const died = proxy.log().filter(({ msg }) => msg === "worker died");
  assert.deepEqual(
    died.map(({ worker, signal }) => [worker, signal]),
    [[still, "SIGKILL"]],
  );
});
