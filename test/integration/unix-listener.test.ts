/**
 * What is tested: `gssocks serve` on a Unix socket: its mode and what is left there, sealed sessions and others' clients
 * over it, BIND and UDP ASSOCIATE, how its clients are called, judged and counted; workers that share it, a reload that
 * brings it and takes it away.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { CMD, REP } from "../../src/protocol/constants.js";
import { CommandClient, Datagrams, endpoint } from "../support/command-client.js";
import { scratch } from "../support/identd.js";
import { until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const UID = process.geteuid?.();

async function start(t: TestContext, config: object = {}) {
  const socket = path.join(await scratch(t), "proxy");
  const address = `unix:${socket}`;
  const { proxy, realm } = await proxiedRealm(t, {
    // RawClient offers GSS-API alone, curl both.
    listeners: [{ address, methods: ["none", "gssapi"] }],
    rules: [{ allow: { to: ["127.0.0.0/8", "localhost", "0.0.0.0"] } }],
    timeouts: { drain: "0s" },
    ...config,
  });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  return { socket, address, proxy, realm, origin };
}

async function through(socket: string, origin: Origin): Promise<RawClient> {
  const client = await RawClient.connectUnix(socket);
  await client.authenticate();
  assert.equal(await client.negotiate(2), 2);
  assert.equal(await client.request("127.0.0.1", origin.port), 0x00);
  return client;
}

async function assertEchoes(client: RawClient): Promise<void> {
  client.send(client.seal(Buffer.from("hello")));
  assert.equal((await client.open()).toString(), "hello");
}

test("one process", async (t) => {
  const { socket, address, proxy, realm, origin } = await start(t);
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  const listening = proxy.log().find(({ msg }) => msg === "listening");
  assert.deepEqual([listening?.address, listening?.port], [address, null]);

  await t.test("a sealed session, and its record", async () => {
    const client = await through(socket, origin);
    await assertEchoes(client);
    client.socket.end();
    assert.equal((await client.farewell()).how, "end");
    const record = await proxy.audit(({ client: each }) => each === client.address);
    assert.deepEqual(
      [record.listener, record.principal, record.level, record.outcome, record.bytesUp, record.bytesDown],
      [address, "alice@EXAMPLE.TEST", "confidentiality", "completed", 5, 5],
    );
    client.close();
  });

  await t.test("curl, and much data", async (t) => {
    const web = await Origin.start((each) => {
      each.once("data", () => {
        each.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        each.end(Buffer.alloc(3_000_000, "x"));
      });
    });
    t.after(() => web.stop());
    const args = ["-q", "-sS", "--max-time", "60", "--noproxy", ""];
    const url = `http://localhost:${web.port}/`;
    const { stdout } = await run("curl", [...args, "-x", `socks5h://localhost${socket}`, url]);
    assert.equal(stdout, "x".repeat(3_000_000));
  });

  await t.test("BIND, at loopback", async (t) => {
    const client = await CommandClient.over(await RawClient.connectUnix(socket), "confidentiality");
    t.after(() => client.close());
    const first = await client.ask(CMD.BIND, endpoint("0.0.0.0", 0));
    assert.deepEqual([first.rep, first.bnd.host], [REP.SUCCEEDED, endpoint("127.0.0.1", 0).host]);
    const peer = connect(first.bnd.port, "127.0.0.1");
    t.after(() => peer.destroy());
    assert.equal((await client.reply()).rep, REP.SUCCEEDED);
    peer.write("from the peer");
    assert.equal((await client.read(13)).toString(), "from the peer");
  });

  await t.test("UDP ASSOCIATE, at loopback", async (t) => {
    const answering = await Peer.bind(t);
    answering.socket.on("message", (data, { address, port }) => answering.socket.send(data, port, address));
    const client = await CommandClient.over(await RawClient.connectUnix(socket), "confidentiality");
    t.after(() => client.close());
    const { rep, bnd } = await client.ask(CMD.UDP_ASSOCIATE, endpoint("0.0.0.0", 0));
    assert.deepEqual([rep, bnd.host], [REP.SUCCEEDED, endpoint("127.0.0.1", 0).host]);
    const datagrams = new Datagrams(client, await Peer.bind(t), bnd);
    await datagrams.send(answering.endpoint, Buffer.from("there and back"));
    assert.equal((await datagrams.next()).data.toString(), "there and back");
  });

  await t.test("garbage", async () => {
    const later = proxy.later();
    const client = await RawClient.connectUnix(socket);
    client.send(0x16, 0x03, 0x01);
    await client.farewell();
    client.close();
    assert.equal((await proxy.audit(later)).code, "BAD_VERSION");
  });

  await t.test("another server leaves it alone, and a socket that is left is replaced", async () => {
    const config = { listeners: [{ address }] };
    await assert.rejects(ProxyServer.start(realm, config), /another program listens there/);
    await assertEchoes(await through(socket, origin));
    proxy.signal("SIGKILL");
    await proxy.exited;
    assert.ok(existsSync(socket));
    const next = await ProxyServer.start(realm, config);
    t.after(() => next.stop());
    const client = await through(socket, origin);
    await assertEchoes(client);
    client.close();
    assert.equal((await next.stop()).code, 0);
    assert.equal(existsSync(socket), false);
  });
});

test("what counts per source counts per user", async (t) => {
  const { socket, proxy, origin } = await start(t, { limits: { perSource: { sessions: 1 } } });
  const client = await through(socket, origin);
  t.after(() => client.close());
  const other = await RawClient.connectUnix(socket);
  t.after(() => other.close());
  await other.farewell();
  const line = await proxy.waitForLog(({ msg }) => msg === "connection refused");
  assert.deepEqual(
    [line.client, line.code, line.reason],
    [
      other.address,
      "LIMIT_REACHED",
      `1 sessions are open from unix:uid=${UID}, which is the limit (limits.perSource.sessions)`,
    ],
  );
});

test("rules: `from` never matches, `listener` does", async (t) => {
  const socket = path.join(await scratch(t), "proxy");
  const address = `unix:${socket}`;
  const { proxy } = await proxiedRealm(t, {
    listeners: [{ address }, { address: "127.0.0.1:0" }],
    rules: [
      { deny: { from: ["0.0.0.0/0", "::/0"], listener: [address] } },
      { allow: { to: ["127.0.0.0/8"], listener: [address] } },
    ],
  });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const client = await through(socket, origin);
  await assertEchoes(client);
  client.socket.end();
  const record = await proxy.audit();
  assert.equal(record.rule, 2);
  client.close();
});

test("workers share it, and a reload brings and takes it", async (t) => {
  const { socket, address, proxy, origin } = await start(t, { workers: 2 });
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  await assertEchoes(await through(socket, origin));

  const another = `${socket}-2`;
  const reload = async (...addresses: string[]) => {
    const reloads = () => proxy.log().filter(({ msg }) => msg === "reloaded");
    const before = reloads().length;
    await proxy.rewrite({ listeners: addresses.map((each) => ({ address: each })), workers: 2 });
    proxy.signal("SIGHUP");
    await until("it is reloaded", () => reloads().length > before);
    return reloads().at(-1);
  };
  const added = await reload(address, `unix:${another}`);
  assert.deepEqual([added?.added, added?.removed], [[`unix:${another}`], []]);
  const clients = await Promise.all([1, 2, 3, 4].map(() => through(another, origin)));
  await Promise.all(clients.map(assertEchoes));

  const removed = await reload(`unix:${another}`);
  assert.deepEqual([removed?.added, removed?.removed], [[], [address]]);
  assert.equal(existsSync(socket), false);
  const refused = connect({ path: socket });
  const [error] = await once(refused, "error");
  assert.equal(error.code, "ENOENT");
  await Promise.all(clients.map(assertEchoes));
  for (const client of clients) client.close();

  assert.equal((await proxy.stop()).code, 0);
  assert.equal(existsSync(another), false);
});
