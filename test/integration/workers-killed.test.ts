/**
 * What is tested: a worker that is killed in the middle of transfers takes these with it and no others; it is replaced,
 * at once where it had lived, later and later where one dies after the other; without the primary no worker lives on, and
 * what they carried ends in resets.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { connect } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { until } from "../support/kernel.js";
import { echo, ending, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { drink, pour, type Sum } from "../support/transfers.js";
import { onWorker, workersOf } from "../support/workers.js";

const SIZE = 30_000_000;

/** A transfer through one of the workers, paused in its middle. */
async function transfer(context: TestContext, proxy: ProxyServer, worker: number) {
  const poured = deferred<Sum>();
  const origin = await Origin.start((socket) => {
    pour(socket, (written) => written >= SIZE).then(poured.resolve, poured.reject);
  });
  poured.promise.catch(() => {});
  context.after(() => origin.stop());
  const stream = await onWorker(proxy, worker, () =>
    connect({
      proxy: { host: "localhost", port: proxy.port },
      destination: { host: "127.0.0.1", port: origin.port },
    }),
  );
  context.after(() => stream.destroy());
  const drunk = drink(stream);
  drunk.catch(() => {});
  let early = 0;
  stream.on("data", (octets) => {
    early += octets.length;
  });
  while (early < SIZE / 10) await once(stream, "data");
  stream.pause();
  return { stream, drunk, poured: poured.promise };
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("a worker is killed in the middle of transfers", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2 });
  const [doomed, other] = workersOf(proxy) as [number, number];
  const lost = [await transfer(context, proxy, doomed), await transfer(context, proxy, doomed)];
  const kept = await transfer(context, proxy, other);

  process.kill(doomed, "SIGKILL");
  const died = await proxy.waitForLog(({ msg }) => msg === "worker died");
  assert.deepEqual(
    [died.severity, died.worker, died.code, died.signal, died.sessions],
    ["error", doomed, null, "SIGKILL", 2],
  );
  for (const { stream, drunk } of lost) {
    stream.resume();
    await assert.rejects(drunk, "nobody takes it for whole");
  }
  kept.stream.resume();
  const sum = await kept.drunk;
  assert.deepEqual(sum, await kept.poured);
  assert.equal(sum.octets, SIZE);
  kept.stream.end();
  const record = await proxy.audit();
  assert.deepEqual([record.worker, record.outcome], [other, "completed"]);

  const started = await proxy.waitForLog(
    ({ msg, worker }) => msg === "worker started" && worker !== doomed && worker !== other,
  );
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  await onWorker(proxy, started.worker as number, async () => {
    const client = await RawClient.through(proxy, origin);
    client.send(client.seal(Buffer.from("through the new one")));
    assert.equal((await client.open()).toString(), "through the new one");
    client.close();
  });
});

test("workers that die early are replaced later and later", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2 });
  const pauses: unknown[] = [];
  const seen = new Set<unknown>(workersOf(proxy));
  let doomed = workersOf(proxy)[0] as number;
  for (let round = 0; round < 3; round += 1) {
    process.kill(doomed, "SIGSEGV");
    const died = await proxy.waitForLog(({ msg, worker }) => msg === "worker died" && worker === doomed);
    assert.equal(died.signal, "SIGSEGV");
    pauses.push(died.pause);
    const next = await proxy.waitForLog(({ msg, worker }) => msg === "worker started" && !seen.has(worker));
    doomed = next.worker as number;
    seen.add(doomed);
  }
  assert.deepEqual(pauses, [0, 1, 2]);
});

test("a worker that dies while it is needed no more is not replaced", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2, timeouts: { drain: "1h" } });
  const [doomed] = workersOf(proxy) as [number];
  await onWorker(proxy, doomed, async () => {
    const held = await RawClient.connect(proxy.port);
    context.after(() => held.close());
    await proxy.waitForLog(({ msg }) => msg === "session opened");
  });
  proxy.signal("SIGTERM");
  await proxy.waitForLog(({ msg }) => msg === "draining");
  process.kill(doomed, "SIGKILL");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const lines = proxy.log();
  assert.equal(lines.filter(({ msg }) => msg === "worker started").length, 2);
  const died = lines.filter(({ msg }) => msg === "worker died");
  assert.deepEqual(
    died.map(({ worker, sessions, pause }) => [worker, sessions, pause]),
    [[doomed, 1, null]],
  );
  assert.equal(proxy.last?.msg, "stopped");
});

test("the primary is killed", async (context) => {
  const { proxy } = await proxiedRealm(context, { workers: 2 });
  const workers = workersOf(proxy);
  const ended = deferred<string>();
  const origin = await Origin.start((socket) => void ending(socket.resume()).then(ended.resolve));
  context.after(() => origin.stop());
  const [worker] = workers as [number];
  const client = await onWorker(proxy, worker, () => RawClient.through(proxy, origin));
  context.after(() => client.close());

  proxy.signal("SIGKILL");
  assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "reset" });
  assert.equal(await ended.promise, "ECONNRESET");
  for (const pid of workers) await until(`worker ${pid} is gone`, () => !alive(pid));
});
