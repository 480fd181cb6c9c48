/**
 * What is tested: what one user may take, from the audit records and answers of a real server: sessions at once and a
 * minute (REP 02, another user gets in), bytes a day (those who carry them are reset, the next are refused), and a bandwidth
 * that the sessions of one user share.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";

const NOT_ALLOWED = 0x02;

const auditOf = (proxy: ProxyServer, address: string) => proxy.audit(({ client }) => client === address);

async function enter(context: TestContext, proxy: ProxyServer): Promise<RawClient> {
  const client = await RawClient.connect(proxy.port);
  context.after(() => client.close());
  await client.authenticate();
  await client.negotiate(2);
  return client;
}

test("sessions at once, and a minute", async (context) => {
  const { realm, proxy } = await proxiedRealm(context, {
    limits: { perUser: { sessions: 2, sessionsPerMinute: 3 } },
    timeouts: { drain: "0s" },
  });
  const origin = await Origin.start((socket) => socket.resume());
  context.after(() => origin.stop());
  const ask = async () => {
    const client = await enter(context, proxy);
    return { client, rep: await client.request("127.0.0.1", origin.port) };
  };

  const [first] = [await ask(), await ask()];
  const full = await ask();
  assert.equal(full.rep, NOT_ALLOWED);
  const record = await auditOf(proxy, full.client.address);
  assert.equal(record.code, "LIMIT_REACHED");
  assert.match(
    String(record.reason),
    /^2 sessions are open of alice@EXAMPLE\.TEST, which is the limit \(limits\.perUser\.sessions\)$/,
  );

  first.client.vanish();
  await auditOf(proxy, first.client.address);
  assert.equal((await ask()).rep, 0x00);
  const again = await ask();
  assert.equal(again.rep, NOT_ALLOWED);

  realm.enter(await realm.kinit("bob"));
  assert.equal((await ask()).rep, 0x00, "another user has places of their own");
});

test("sessions a minute", async (context) => {
  const { proxy } = await proxiedRealm(context, { limits: { perUser: { sessionsPerMinute: 2 } } });
  const origin = await Origin.start((socket) => socket.end());
  context.after(() => origin.stop());
  const reps: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const client = await enter(context, proxy);
    reps.push(await client.request("127.0.0.1", origin.port));
    client.vanish();
    await auditOf(proxy, client.address);
  }
  assert.deepEqual(reps, [0x00, 0x00, NOT_ALLOWED]);
});

test("bytes a day", async (context) => {
  const { proxy } = await proxiedRealm(context, { limits: { perUser: { bytesPerDay: "1MB" } } });
  const origin = await Origin.start((socket) => socket.resume());
  context.after(() => origin.stop());
  const client = await enter(context, proxy);
  assert.equal(await client.request("127.0.0.1", origin.port), 0x00);
  const piece = Buffer.alloc(60_000);
  for (let sent = 0; sent < 1_200_000; sent += piece.length) client.send(client.seal(piece));
  const record = await auditOf(proxy, client.address);
  assert.equal(record.code, "LIMIT_REACHED");
  assert.match(String(record.reason), /^1000000 bytes were carried in a day of alice@EXAMPLE\.TEST/);

  const next = await enter(context, proxy);
  assert.equal(await next.request("127.0.0.1", origin.port), NOT_ALLOWED);
});

for (const workers of [1, 3])
  test(`a bandwidth for all sessions of a user together, workers: ${workers}`, async (context) => {
    const { proxy } = await proxiedRealm(context, {
      workers,
      limits: { perUser: { bandwidth: { up: "1MB/s" } } },
    });
    const origin = await Origin.start((socket) => socket.resume().once("end", () => socket.end()));
    context.after(() => origin.stop());
    const clients = await Promise.all(Array.from({ length: 4 }, () => enter(context, proxy)));
    for (const client of clients) assert.equal(await client.request("127.0.0.1", origin.port), 0x00);
    const piece = Buffer.alloc(50_000);
    for (const client of clients) {
      for (let sent = 0; sent < 500_000; sent += piece.length) client.send(client.seal(piece));
      client.socket.end();
    }
    const records = await Promise.all(clients.map(({ address }) => auditOf(proxy, address)));
    assert.deepEqual(
      records.map(({ outcome, bytesUp }) => [outcome, bytesUp]),
      records.map(() => ["completed", 500_000]),
    );
    // No sooner, whatever the machine does: 2 MB at 1 MB/s, of which a tenth of a second may go at once.
    const longest = Math.max(...records.map(({ duration }) => Number(duration)));
    assert.ok(longest > 1.7, `2 MB were through after ${longest} s`);
  });

test("what all sessions that a rule allows may take together", async (context) => {
  const origin = await Origin.start((socket) => socket.resume());
  context.after(() => origin.stop());
  const other = await Origin.start((socket) => socket.resume());
  context.after(() => other.stop());
  const { proxy } = await proxiedRealm(context, {
    rules: [
      { allow: { to: [`127.0.0.1:${origin.port}`] }, limits: { sessions: 1 } },
      { allow: { to: ["127.0.0.0/8"] } },
    ],
    timeouts: { drain: "0s" },
  });
  const ask = async (port: number) => {
    const client = await enter(context, proxy);
    return { client, rep: await client.request("127.0.0.1", port) };
  };
  const first = await ask(origin.port);
  const second = await ask(origin.port);
  assert.deepEqual([first.rep, second.rep], [0x00, NOT_ALLOWED]);
  const { reason } = await auditOf(proxy, second.client.address);
  assert.match(
    String(reason),
    /^1 sessions are open by rule 1, which is the limit \(rules\[0\]\.limits\.sessions\)$/,
  );
  assert.equal((await ask(other.port)).rep, 0x00);
});
