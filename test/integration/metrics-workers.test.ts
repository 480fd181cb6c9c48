/**
 * What is tested: metrics, /healthz and /readyz of a server of several processes, which are those of one: octets of
 * sessions on every worker in one sum, while they run too; no counter goes back when a worker is killed; a worker that
 * stands still makes the server unhealthy, but not unready while another serves; nobody can reach the metrics through a
 * worker.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CMD } from "../../src/protocol/constants.js";
import { CommandClient, endpoint } from "../support/command-client.js";
import { get } from "../support/http.js";
import { metricsPort, scrape } from "../support/metrics.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { onWorker, workersOf } from "../support/workers.js";

const UP = { direction: "up", level: "confidentiality" };

test("metrics of several processes", async (t) => {
  const { proxy } = await proxiedRealm(t, {
    workers: 2,
    metrics: { address: "127.0.0.1:0" },
    timeouts: { drain: "1h" },
  });
  const port = await metricsPort(proxy);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const [first, second] = workersOf(proxy) as [number, number];
  const told = async (path: string) => {
    const { status, body } = await get(port, path);
    return [status, body];
  };

  /** A session that has carried so many octets each way, and goes on. */
  async function carry(pid: number, count: number): Promise<CommandClient> {
    return onWorker(proxy, pid, async () => {
      const client = await CommandClient.ready(proxy, "confidentiality");
      t.after(() => client.close());
      assert.equal((await client.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port))).rep, 0);
      client.send(Buffer.alloc(count));
      await client.read(count);
      return client;
    });
  }

  const killed = await carry(first, 1000);
  const ended = await carry(second, 200);

  await t.test("one sum of what all of them carry", async () => {
    const running = await scrape(port);
    assert.equal(running.value("gssocks_sessions", { state: "relay" }), 2);
    assert.equal(running.value("gssocks_bytes_total", UP), 1200);
    assert.equal(running.value("gssocks_frame_bytes_total", UP), killed.sealed.up + ended.sealed.up);
    assert.deepEqual(running.counts("gssocks_handshakes_total"), { "gssapi completed": 2 });
    assert.equal(running.value("gssocks_worker_deaths_total"), 0);
    // Of three processes; one of them alone has less than twice what a worker has.
    assert.ok((running.value("process_resident_memory_bytes") ?? 0) > 1e8);

    ended.raw.socket.end();
    await proxy.audit((each) => each.client === ended.address);
    const one = await scrape(port);
    assert.equal(one.value("gssocks_sessions", { state: "relay" }), 1);
    assert.equal(one.value("gssocks_bytes_total", UP), 1200);
  });

  await t.test("they are healthy and ready", async () => {
    assert.deepEqual(await told("/healthz"), [200, "healthy\n"]);
    assert.deepEqual(await told("/readyz"), [200, "ready\n"]);
  });

  await t.test("one stands still", async () => {
    process.kill(first, "SIGSTOP");
    assert.deepEqual(await told("/healthz"), [503, `worker ${first} does not answer\n`]);
    assert.deepEqual(await told("/readyz"), [200, "ready\n"]);
    assert.equal((await scrape(port)).value("gssocks_bytes_total", UP), 1200, "what it told before counts");
    process.kill(first, "SIGCONT");
    assert.deepEqual(await told("/healthz"), [200, "healthy\n"]);
  });

  await t.test("one is killed", async () => {
    process.kill(first, "SIGKILL");
    await proxy.waitForLog(({ msg, worker }) => msg === "worker died" && worker === first);
    const after = await scrape(port);
    assert.equal(after.value("gssocks_bytes_total", UP), 1200);
    assert.deepEqual(after.counts("gssocks_handshakes_total"), { "gssapi completed": 2 });
    assert.deepEqual(after.counts("gssocks_sessions"), {});
    assert.equal(after.value("gssocks_worker_deaths_total"), 1);
    await proxy.waitForLog(
      ({ msg, worker }) => msg === "worker started" && worker !== first && worker !== second,
    );
    const [third] = workersOf(proxy).filter((pid) => pid !== second) as [number];
    const client = await carry(third, 30);
    assert.equal((await scrape(port)).value("gssocks_bytes_total", UP), 1230);
    client.close();
  });

  await t.test("a rule on its network does not lead to the metrics", async () => {
    for (const pid of workersOf(proxy)) {
      const client = await onWorker(proxy, pid, () => RawClient.ready(proxy));
      assert.equal(await client.request("127.0.0.1", port), 2);
      client.close();
    }
  });

  await t.test("they drain", async () => {
    const client = await carry(second, 4);
    proxy.signal("SIGTERM");
    await proxy.waitForLog(({ msg }) => msg === "draining");
    assert.deepEqual(await told("/readyz"), [503, "the server is draining\n"]);
    assert.equal((await told("/healthz"))[0], 200);
    assert.equal((await scrape(port)).value("gssocks_bytes_total", UP), 1234);
    client.raw.socket.end();
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  });
});
