/**
 * What is tested: what a signal does to a server process with open sessions. A transfer goes on to its end and no new
 * client is taken; when the drain time runs out, or at a second signal, what is left is cut, in whatever step it is;
 * however many signals come, the process exits 0 and each session has its audit record in the output.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { type TestContext, test } from "node:test";
import { connect } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { echo, ending, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { drink, pour, type Sum } from "../support/transfers.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

const SIZE = 50_000_000;
const DRAIN = 60_000;

function audits(proxy: ProxyServer): unknown[][] {
  return proxy.audits().map(({ client, outcome, code }) => [client, outcome, code]);
}

async function assertExits(proxy: ProxyServer): Promise<void> {
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  assert.equal(proxy.last?.msg, "stopped");
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} during a transfer`, async (context) => {
    const { proxy } = await proxiedRealm(context, { timeouts: { drain: `${DRAIN}ms` } });
    const poured = deferred<Sum>();
    const origin = await Origin.start((socket) => {
      pour(socket, (written) => written >= SIZE).then(poured.resolve, poured.reject);
    });
    context.after(() => origin.stop());
    const stream = await connect({
      proxy: { host: "localhost", port: proxy.port },
      destination: { host: "127.0.0.1", port: origin.port },
    });
    context.after(() => stream.destroy());

    let early = 0;
    stream.on("data", (octets) => {
      early += octets.length;
    });
    const drunk = drink(stream);
    while (early < SIZE / 10) await once(stream, "data");
    // Until it is read on, the transfer can't come to its end.
    stream.pause();
    const began = performance.now();
    proxy.signal(signal);
    assert.equal((await proxy.waitForLog(({ msg }) => msg === "draining")).sessions, 1);
    const [error] = await once(connectTcp(proxy.port, "127.0.0.1"), "error");
    assert.equal(error.code, "ECONNREFUSED");
    assert.deepEqual(audits(proxy), []);

    stream.resume();
    const sum = await drunk;
    assert.deepEqual(sum, await poured.promise);
    assert.equal(sum.octets, SIZE);
    stream.end();
    await assertExits(proxy);
    assert.ok(performance.now() - began < DRAIN / 2, "it does not wait for the drain time");
    assert.deepEqual(
      audits(proxy).map(([, ...ending]) => ending),
      [["completed", null]],
    );
  });
}

/** A session in each step that can last, and what its client is told when it is cut. */
async function openEach(context: TestContext, proxy: ProxyServer) {
  const atOrigin = deferred<string>();
  const origin = await Origin.start((socket) => void ending(socket.resume()).then(atOrigin.resolve));
  context.after(() => origin.stop());
  const unaccepting = await UnacceptingOrigin.start();
  context.after(() => unaccepting.stop());
  const client = async () => {
    const each = await RawClient.connect(proxy.port);
    context.after(() => each.close());
    return each;
  };

  const silent = await client();
  const establishing = await client();
  await establishing.selectMethod();
  const requesting = await client();
  await requesting.authenticate();
  assert.equal(await requesting.negotiate(2), 2);
  const dialing = await client();
  await dialing.authenticate();
  assert.equal(await dialing.negotiate(2), 2);
  dialing.send(dialing.seal(connectRequest("127.0.0.1", unaccepting.port)));
  await proxy.waitForLog(({ msg, client: address }) => msg === "request" && address === dialing.address);
  const relaying = await RawClient.through(proxy, origin);
  context.after(() => relaying.close());
  return {
    clients: [silent, establishing, requesting, dialing, relaying].map(({ address }) => address),
    async assertCut(): Promise<void> {
      assert.deepEqual((await silent.farewell()).octets, Buffer.alloc(0));
      assert.deepEqual((await establishing.farewell()).octets, Buffer.from([0x01, 0xff]));
      for (const each of [requesting, dialing]) {
        assert.deepEqual([...(await each.open())], [0x05, 0x01, 0x00, 0x01, 0, 0, 0, 0, 0, 0]);
        assert.equal((await each.farewell()).octets.length, 0);
      }
      assert.deepEqual(await relaying.farewell(), { octets: Buffer.alloc(0), how: "reset" });
      assert.equal(await atOrigin.promise, "ECONNRESET");
    },
  };
}

function assertAllStopped(proxy: ProxyServer, clients: readonly string[]): void {
  assert.deepEqual(
    audits(proxy).sort(),
    clients.map((client) => [client, "failed", "SERVER_STOPPED"]).sort(),
  );
}

test("the drain time runs out", async (context) => {
  const { proxy } = await proxiedRealm(context, { timeouts: { drain: "500ms" } });
  const { clients, assertCut } = await openEach(context, proxy);
  proxy.signal("SIGTERM");
  assert.equal((await proxy.waitForLog(({ msg }) => msg === "draining")).sessions, clients.length);
  await assertCut();
  await assertExits(proxy);
  assertAllStopped(proxy, clients);
});

for (const second of ["SIGTERM", "SIGINT"] as const) {
  test(`${second} after SIGTERM cuts at once`, async (context) => {
    const { proxy } = await proxiedRealm(context, { timeouts: { drain: "1h" } });
    const { clients, assertCut } = await openEach(context, proxy);
    proxy.signal("SIGTERM");
    await proxy.waitForLog(({ msg }) => msg === "draining");
    proxy.signal(second);
    await assertCut();
    await assertExits(proxy);
    assertAllStopped(proxy, clients);
  });
}

test("a client that was refused and stays does not hold the process", async (context) => {
  const { proxy } = await proxiedRealm(context, { timeouts: { drain: "0s" } });
  const client = await RawClient.connect(proxy.port);
  context.after(() => client.close());
  client.send(0x04);
  await client.farewell();
  proxy.signal("SIGTERM");
  await assertExits(proxy);
  assert.deepEqual(audits(proxy), [[client.address, "failed", "BAD_VERSION"]]);
});

test("many signals at once lose no audit record", async (context) => {
  const { proxy } = await proxiedRealm(context, { timeouts: { drain: "1h" } });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.through(proxy, origin)));
  context.after(() => {
    for (const client of clients) client.close();
  });
  // They come at every moment, until there is nobody left to take them.
  try {
    for (;;) {
      for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) proxy.signal(signal);
      await new Promise((turn) => setImmediate(turn));
    }
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
  await assertExits(proxy);
  assertAllStopped(
    proxy,
    clients.map(({ address }) => address),
  );
});
