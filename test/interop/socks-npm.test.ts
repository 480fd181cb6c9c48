/**
 * The npm package `socks` as the client: CONNECT, BIND and UDP ASSOCIATE in SOCKS4, 4a and 5, without a user and with one,
 * and what a refusal is to it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { SocksClient, type SocksClientOptions, type SocksProxy, type SocksRemoteHost } from "socks";
import { LOCALHOST } from "../support/localhost.js";
import { echo } from "../support/origin.js";
import { type Conversation, PASSWORD, PlainProxy, USER } from "../support/plain-proxy.js";
import { Peer } from "../unit/relay/datagram-peers.js";

test("npm socks through the proxy", async (t) => {
  const proxy = await PlainProxy.start(t);
  const open = (type: 4 | 5): SocksProxy => ({ host: "127.0.0.1", port: proxy.open, type });
  const openIpv6: SocksProxy = { host: "::1", port: proxy.openIpv6, type: 5 };
  const guarded = (type: 4 | 5, userId = USER, password = PASSWORD): SocksProxy => {
    const named = { host: "127.0.0.1", port: proxy.guarded, type, userId };
    return type === 4 ? named : { ...named, password };
  };
  const named = { principal: USER, method: "password" };
  const asserted = { principal: USER, method: "asserted" };
  const byName = { asks: "localhost" };

  const connects: [what: string, through: SocksProxy, conversation: Conversation][] = [
    ["SOCKS4", open(4), {}],
    ["SOCKS4a", open(4), byName],
    ["SOCKS4 with a user", guarded(4), asserted],
    ["SOCKS4a with a user", guarded(4), { ...asserted, ...byName }],
    ["SOCKS5", open(5), {}],
    ["SOCKS5, a name that the proxy resolves", open(5), byName],
    ["SOCKS5 to an IPv6 address", open(5), { at: "::1" }],
    ["SOCKS5 to an IPv6 address through another one", openIpv6, { at: "::1" }],
    ["SOCKS5 with a password", guarded(5), named],
  ];
  for (const [what, through, conversation] of connects) {
    await t.test(`CONNECT, ${what}`, async () => {
      const origin = await proxy.origin(echo, conversation.at);
      const host = conversation.asks ?? conversation.at ?? "127.0.0.1";
      const { socket } = await SocksClient.createConnection({
        command: "connect",
        proxy: through,
        destination: { host, port: origin.port },
      });
      const sent = randomBytes(100_000);
      socket.end(sent);
      assert.ok(Buffer.concat(await socket.toArray()).equals(sent));
      const record = await proxy.assertServed(origin.port, conversation);
      assert.deepEqual([record.bytesUp, record.bytesDown], [sent.length, sent.length]);
    });
  }

  /** @param peer whom the client expects */
  async function bound(through: SocksProxy, peer: SocksRemoteHost): Promise<[SocksClient, SocksRemoteHost]> {
    const client = start({ command: "bind", proxy: through, destination: peer });
    const [{ remoteHost }] = (await once(client, "bound")) as [{ remoteHost: SocksRemoteHost }];
    return [client, remoteHost];
  }

  const binds: [
    what: string,
    through: SocksProxy,
    host: string,
    who: { principal?: string; method: string },
  ][] = [
    ["SOCKS4", open(4), "127.0.0.1", { method: "none" }],
    ["SOCKS4 with a user", guarded(4), "127.0.0.1", asserted],
    ["SOCKS5", open(5), "127.0.0.1", { method: "none" }],
    ["SOCKS5 with a name for the peer", open(5), "localhost", { method: "none" }],
    ["SOCKS5, an IPv6 address", openIpv6, "::1", { method: "none" }],
    ["SOCKS5 with a password", guarded(5), "127.0.0.1", named],
  ];
  for (const [what, through, host, { principal = null, method }] of binds) {
    await t.test(`BIND, ${what}`, async (t) => {
      const [client, bnd] = await bound(through, { host, port: 0 });
      assert.ok(bnd.port > 0);
      const peer = connect({ host: bnd.host, port: bnd.port });
      t.after(() => peer.destroy());
      const [{ socket, remoteHost }] = await once(client, "established");
      const port = peer.localPort as number;
      assert.deepEqual(remoteHost, { host: bnd.host, port });
      peer.pipe(peer);
      const sent = randomBytes(100_000);
      socket.end(sent);
      assert.ok(Buffer.concat(await socket.toArray()).equals(sent));
      const record = await proxy.server.audit(({ address }) => String(address).endsWith(`:${port}`));
      assert.deepEqual(
        [record.command, record.method, record.principal, record.outcome, record.bytesUp, record.bytesDown],
        ["bind", method, principal, "completed", sent.length, sent.length],
      );
    });
  }

  await t.test("BIND, somebody else comes first", async (t) => {
    const [client, bnd] = await bound(open(5), { host: "127.0.0.2", port: 0 });
    const stranger = connect({ ...bnd, localAddress: "127.0.0.1" });
    const [error] = await once(stranger, "error");
    assert.equal(error.code, "ECONNRESET");
    const peer = connect({ ...bnd, localAddress: "127.0.0.2" });
    t.after(() => peer.destroy());
    const [{ socket, remoteHost }] = await once(client, "established");
    assert.deepEqual(remoteHost, { host: "127.0.0.2", port: peer.localPort });
    peer.end("the one");
    socket.end();
    assert.equal(Buffer.concat(await socket.toArray()).toString(), "the one");
  });

  const associations: [what: string, through: SocksProxy, at: string, conversation: Conversation][] = [
    ["SOCKS5", open(5), "127.0.0.1", { method: "none" }],
    ["SOCKS5, a name that the proxy resolves", open(5), "127.0.0.1", { method: "none", asks: "localhost" }],
    ["SOCKS5, an IPv6 address", openIpv6, "::1", { method: "none" }],
    ["SOCKS5 with a password", guarded(5), "127.0.0.1", named],
  ];
  for (const [what, through, at, { asks = at, method, principal = null }] of associations) {
    await t.test(`UDP ASSOCIATE, ${what}`, async (t) => {
      const peer = await Peer.bind(t, asks === "localhost" ? LOCALHOST : at);
      peer.socket.on("message", (data, { address, port }) => peer.socket.send(data, port, address));
      const family = at.includes(":") ? "udp6" : "udp4";
      const ours = createSocket(family);
      t.after(() => ours.close());
      ours.bind(0, at);
      await once(ours, "listening");
      const unspecified = family === "udp6" ? "::" : "0.0.0.0";
      const client = start({
        command: "associate",
        proxy: through,
        destination: { host: unspecified, port: 0 },
      });
      const [{ socket, remoteHost: relay }] = await once(client, "established");
      const data = randomBytes(1200);
      const port = peer.socket.address().port;
      ours.send(
        SocksClient.createUDPFrame({ remoteHost: { host: asks, port }, data }),
        relay.port,
        relay.host,
      );
      const [datagram] = await once(ours, "message");
      const frame = SocksClient.parseUDPFrame(datagram);
      assert.equal(frame.remoteHost.port, port);
      assert.ok(frame.data.equals(data));
      const { localPort } = socket;
      socket.end();
      const record = await proxy.server.audit((each) => String(each.client).endsWith(`:${localPort}`));
      assert.deepEqual(
        [record.command, record.method, record.principal, record.outcome, record.bytesUp, record.bytesDown],
        ["udp-associate", method, principal, "completed", data.length, data.length],
      );
    });
  }

  const refusals: [what: string, through: SocksProxy, message: RegExp, code: string][] = [
    ["SOCKS5 with a wrong password", guarded(5, USER, "wrong"), /Authentication failed/i, "BAD_PASSWORD"],
    [
      "SOCKS5 without a password",
      { ...open(5), port: proxy.guarded },
      /no accepted auth/i,
      "NO_ACCEPTABLE_METHOD",
    ],
    ["SOCKS4 with another user", guarded(4, "mallory"), /rejected connection/i, "USER_NOT_ALLOWED"],
  ];
  for (const [what, through, message, code] of refusals) {
    await t.test(`refused: ${what}`, async () => {
      const destination = { host: "127.0.0.1", port: 1 };
      const connecting = SocksClient.createConnection({ command: "connect", proxy: through, destination });
      await assert.rejects(connecting, { message });
      await proxy.server.audit((record) => record.code === code);
    });
  }
});

function start(options: SocksClientOptions): SocksClient {
  const client = new SocksClient(options);
  client.connect();
  return client;
}
