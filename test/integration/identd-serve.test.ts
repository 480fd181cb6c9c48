/**
 * `gssocks identd` beside `gssocks serve`: a destination, a process of its own, asks who is behind the connection
 * that it has from the proxy, while it is open. It is told the principal of a ticket, the user of a password, nobody's
 * name where there is none or no proof of it, the session's id by token; for CONNECT and for BIND; and nothing any more
 * when the session has ended, with oidentd behind it or without.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connect } from "../../src/index.js";
import { type Identd, netcat, scratch, startIdentd } from "../support/identd.js";
import { connectionOf, needsRoot, oidentd } from "../support/oidentd.js";
import { type Running, run, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine, ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import type { Realm } from "../support/realm.js";

const PROXY = "127.0.0.1";
const DESTINATION = "127.0.0.2";
const BACK = [DESTINATION, PROXY] as const;

/** What one learns of itself, as it comes through the proxy, and the session's audit record. */
interface Told {
  /** Without the ports. */
  answer: string;
  ports: string;
  record: LogLine;
}

const ASKER = fileURLToPath(new URL("../../../test/support/ident_asker.py", import.meta.url));

/** A process that asks about the connections it has: to `peer`, or those that come to the port. */
function asker(t: TestContext, identd: Identd, ...peer: string[]): Promise<Running> {
  const args = [ASKER, DESTINATION, PROXY, String(identd.port), ...peer];
  return start("/usr/bin/python3", args, { test: t });
}

async function destination(t: TestContext, identd: Identd): Promise<number> {
  const [, port] = await (await asker(t, identd)).waitForLine(/^listening on (\d+)$/);
  return Number(port);
}

async function told(proxy: ProxyServer, client: string, octets: Buffer): Promise<Told> {
  const [, ports = "", answer = ""] = /^(\d+,\d+):(.*)\r\n$/.exec(octets.toString()) ?? [octets.toString()];
  return { answer, ports, record: await proxy.audit((each) => each.client === client) };
}

/** Through a client that says all it has to say at once, and reads to the end; `skip` octets of it are the proxy's. */
async function plain(
  proxy: ProxyServer,
  listener: number,
  octets: (number | Buffer)[],
  skip: number,
): Promise<Told> {
  const client = await RawClient.connect(proxy.ports[listener] as number);
  client.send(...octets);
  const farewell = await client.farewell();
  client.close();
  return told(proxy, client.address, farewell.octets.subarray(skip));
}

async function withTicket(proxy: ProxyServer, port: number): Promise<Told> {
  const stream = await connect({
    proxy: { host: "localhost", port: proxy.port },
    destination: { host: DESTINATION, port },
  });
  stream.end();
  const octets = Buffer.concat(await stream.toArray());
  const { client } = await proxy.audit(({ destination }) => destination === `${DESTINATION}:${port}`);
  return told(proxy, client as string, octets);
}

const socks5 = (port: number) => Buffer.of(5, 1, 0, 1, 127, 0, 0, 2, port >> 8, port & 0xff);
const withoutName = (proxy: ProxyServer, port: number) =>
  plain(proxy, 2, [5, 1, 0, socks5(port)].flat(), 2 + 10);

async function config(realm: Realm, socket: string, answer = "user") {
  const file = path.join(realm.dir, "users");
  await run("htpasswd", ["-cbB", file, "carol", "carol-password"]);
  return {
    listeners: [
      { address: "127.0.0.1:0" },
      { address: "127.0.0.1:0", methods: ["password"] },
      { address: "127.0.0.1:0", methods: ["none"], socks4: { identity: "asserted" } },
    ],
    passwords: { file },
    identd: { socket, answer },
  };
}

test("by name", async (t) => {
  const socket = path.join(await scratch(t), "identd.sock");
  const { proxy } = await proxiedRealm(t, (realm) => config(realm, socket));
  const identd = await startIdentd(t, { address: `${PROXY}:0`, socket });
  const port = await destination(t, identd);

  async function assertForgotten({ ports, record }: Told): Promise<void> {
    assert.equal(record.outcome, "completed");
    assert.equal(await netcat(BACK, identd.port, `${ports}\r\n`), `${ports}:ERROR:NO-USER\r\n`);
  }

  await t.test("a ticket's principal, without its realm", async () => {
    const alice = await withTicket(proxy, port);
    assert.equal(alice.answer, "USERID:UNIX:alice");
    assert.equal(alice.record.principal, "alice@EXAMPLE.TEST");
    await assertForgotten(alice);
  });

  await t.test("a password's user", async () => {
    const credentials = Buffer.from("\x01\x05carol\x0ecarol-password");
    const carol = await plain(proxy, 1, [5, 1, 2, credentials, socks5(port)], 2 + 2 + 10);
    assert.equal(carol.answer, "USERID:UNIX:carol");
    await assertForgotten(carol);
  });

  await t.test("a session without a name", async () => {
    const nobody = await withoutName(proxy, port);
    assert.equal(nobody.answer, "ERROR:HIDDEN-USER");
    await assertForgotten(nobody);
  });

  await t.test("a name that the client gave no proof of", async () => {
    const request = Buffer.of(4, 1, port >> 8, port & 0xff, 127, 0, 0, 2);
    const dave = await plain(proxy, 2, [request, Buffer.from("dave\0")], 8);
    assert.equal(dave.answer, "ERROR:HIDDEN-USER");
    assert.equal(dave.record.principal, "dave");
    await assertForgotten(dave);
  });

  await t.test("the connection of a BIND", async (t) => {
    const client = await RawClient.ready(proxy);
    const first = await client.ask(Buffer.from("050200017f0000020000", "hex"));
    assert.equal(first.toString("hex", 0, 8), "050000017f000001");
    await asker(t, identd, PROXY, String(first.readUInt16BE(8)));
    assert.equal((await client.open()).toString("hex", 0, 8), "050000017f000002");
    const octets = await client.open();
    client.socket.end();
    const alice = await told(proxy, client.address, octets);
    client.close();
    assert.equal(alice.answer, "USERID:UNIX:alice");
    assert.equal(alice.record.command, "bind");
    await assertForgotten(alice);
  });
});

test("by token, which is the audit record's session", async (t) => {
  const socket = path.join(await scratch(t), "identd.sock");
  const { proxy } = await proxiedRealm(t, (realm) => config(realm, socket, "token"));
  const identd = await startIdentd(t, { address: `${PROXY}:0`, socket, answer: "token" });
  const port = await destination(t, identd);
  for (const { answer, record } of [await withTicket(proxy, port), await withoutName(proxy, port)]) {
    assert.equal(answer, `USERID:OTHER:${record.session}`);
  }
  assert.ok(!identd.process.stdout().includes("alice"));
});

test("with oidentd behind it", { skip: needsRoot }, async (t) => {
  const socket = path.join(await scratch(t), "identd.sock");
  const { proxy } = await proxiedRealm(t, (realm) => config(realm, socket));
  const system = await oidentd(t, "127.0.0.4", ["--proxy", PROXY]);
  const identd = await startIdentd(t, { address: `${PROXY}:0`, socket, forward: `127.0.0.4:${system}` });
  const port = await destination(t, identd);
  const alice = await withTicket(proxy, port);
  const nobody = await withoutName(proxy, port);
  // Not the user whom the proxy runs as.
  assert.deepEqual([alice.answer, nobody.answer], ["USERID:UNIX:alice", "ERROR:HIDDEN-USER"]);
  for (const { ports } of [alice, nobody])
    assert.equal(await netcat(BACK, identd.port, `${ports}\r\n`), `${ports}:ERROR:NO-USER\r\n`);
  const games = await connectionOf(t, "games", [PROXY, DESTINATION]);
  const ports = `${games.local.port},${games.remote.port}`;
  assert.equal(await netcat(BACK, identd.port, `${ports}\r\n`), `${ports}:USERID:UNIX:games\r\n`);
});
