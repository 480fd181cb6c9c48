/**
 * What is tested: a source that does what honest clients don't is kept out for a while, others are not; a penalty that is
 * too small keeps nobody out; exempt sources have none.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";

const [BAD, GOOD] = ["127.0.0.2", "127.0.0.3"] as const;

async function garbage(proxy: ProxyServer, source: string): Promise<void> {
  const client = await RawClient.connect(proxy.port, "127.0.0.1", source);
  client.send(0x47, 0x45, 0x54, 0x20);
  await proxy.audit((record) => record.client === client.address);
  client.close();
}

async function assertLetIn(context: TestContext, proxy: ProxyServer, source: string): Promise<void> {
  const client = await RawClient.connect(proxy.port, "127.0.0.1", source);
  context.after(() => client.close());
  await client.authenticate();
  assert.equal(await client.negotiate(2), 2);
}

/** Clients of which the log has told that they were refused. */
const refused = new Set<unknown>();

async function assertKeptOut(proxy: ProxyServer, source: string): Promise<void> {
  // The reset may be there before the connection is.
  const socket = connect({ port: proxy.port, host: "127.0.0.1", localAddress: source }).resume();
  const gone = new Promise<unknown>((resolve) => {
    socket.on("end", () => resolve("an end")).on("error", ({ code }: NodeJS.ErrnoException) => resolve(code));
  });
  const line = await proxy.waitForLog(
    ({ msg, client }) =>
      msg === "connection refused" && String(client).startsWith(`${source}:`) && !refused.has(client),
  );
  refused.add(line.client);
  assert.deepEqual([line.code, line.limit], ["LIMIT_REACHED", "penalties"]);
  assert.match(
    String(line.reason),
    new RegExp(`^${source.replaceAll(".", "\\.")} is kept out for what it did before`),
  );
  assert.equal(await gone, "ECONNRESET");
}

test("a source that does not speak SOCKS is kept out, and nobody else", async (context) => {
  const { proxy } = await proxiedRealm(context, {
    penalties: { exempt: [], protocolError: "1m", least: "90s" },
    timeouts: { drain: "0s" },
  });
  await garbage(proxy, BAD);
  await assertLetIn(context, proxy, BAD);
  await garbage(proxy, BAD);
  await assertKeptOut(proxy, BAD);
  await assertLetIn(context, proxy, GOOD);
});

test("exempt sources have no penalties", async (context) => {
  const { proxy } = await proxiedRealm(context, {
    penalties: { exempt: ["127.0.0.2/32"], protocolError: "1m", least: "1s" },
    timeouts: { drain: "0s" },
  });
  await garbage(proxy, BAD);
  await assertLetIn(context, proxy, BAD);
  await garbage(proxy, GOOD);
  await assertKeptOut(proxy, GOOD);
});

test("across workers", async (context) => {
  const { proxy } = await proxiedRealm(context, {
    workers: 2,
    penalties: { exempt: [], protocolError: "1m", least: "1s" },
    timeouts: { drain: "0s" },
  });
  await garbage(proxy, BAD);
  for (let turn = 0; turn < 4; turn += 1) await assertKeptOut(proxy, BAD);
  await assertLetIn(context, proxy, GOOD);
});

test("a forged token is answered late, and keeps its source out", async (context) => {
  const { proxy } = await proxiedRealm(context, {
    penalties: { exempt: [], failedAuthentication: "1m", least: "1s" },
    timeouts: { drain: "0s" },
  });
  const client = await RawClient.connect(proxy.port, "127.0.0.1", BAD);
  client.send(0x05, 0x01, 0x01);
  client.send(0x01, 0x01, 0x00, 0x04, 0x6e, 0x6f, 0x6e, 0x65);
  const record = await proxy.audit(({ client: who }) => who === client.address);
  assert.equal(record.code, "BAD_TOKEN");
  // Not sooner, however fast the machine is.
  assert.ok(Number(record.duration) >= 1, `answered after ${record.duration} s`);
  client.close();
  await assertKeptOut(proxy, BAD);
  await assertLetIn(context, proxy, GOOD);
});

test("a client that says nothing keeps its source out", async (context) => {
  const { proxy } = await proxiedRealm(context, {
    penalties: { exempt: [], handshakeTimeout: "1m", least: "1s" },
    timeouts: { handshake: "500ms", drain: "0s" },
  });
  const client = await RawClient.connect(proxy.port, "127.0.0.1", BAD);
  const record = await proxy.audit(({ client: who }) => who === client.address);
  assert.equal(record.code, "HANDSHAKE_TIMEOUT");
  client.close();
  await assertKeptOut(proxy, BAD);
});
