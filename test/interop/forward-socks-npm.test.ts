/** The npm package `socks` through `gssocks forward`: CONNECT by SOCKS4, 4a and 5, BIND by 4 and 5, and UDP ASSOCIATE. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { SocksClient, type SocksClientOptions, type SocksRemoteHost } from "socks";
import { forwardedRealm } from "../support/forwarded-realm.js";
import { echo, Origin } from "../support/origin.js";
import { Peer } from "../unit/relay/datagram-peers.js";

test("npm socks", async (t) => {
  const { proxy, forwarder } = await forwardedRealm(t);
  const through = (type: 4 | 5) => ({ host: "127.0.0.1", port: forwarder.port, type });
  const sent = randomBytes(1_000_000);

  /** The audit record of the session whose destination had this port. */
  async function assertCarried(command: string, port: number, octets = sent.length): Promise<void> {
    const record = await proxy.audit((line) => String(line.address ?? "").endsWith(`:${port}`));
    const { principal, level, outcome, bytesUp, bytesDown } = record;
    assert.deepEqual(
      [record.command, principal, level, outcome, bytesUp, bytesDown],
      [command, "alice@EXAMPLE.TEST", "confidentiality", "completed", octets, octets],
    );
  }

  for (const [what, type, host] of [
    ["SOCKS4", 4, "127.0.0.1"],
    ["SOCKS4a", 4, "localhost"],
    ["SOCKS5", 5, "localhost"],
  ] as const) {
    await t.test(`CONNECT, ${what}`, async (t) => {
      const origin = await Origin.start(echo);
      t.after(() => origin.stop());
      const destination = { host, port: origin.port };
      const options = { command: "connect", proxy: through(type), destination } as const;
      const { socket } = await SocksClient.createConnection(options);
      socket.end(sent);
      assert.ok(Buffer.concat(await socket.toArray()).equals(sent));
      await assertCarried("connect", origin.port);
    });
  }

  for (const type of [4, 5] as const) {
    await t.test(`BIND, SOCKS${type}`, async (t) => {
      const destination = { host: "127.0.0.1", port: 0 };
      const client = start({ command: "bind", proxy: through(type), destination });
      const [{ remoteHost: bnd }] = (await once(client, "bound")) as [{ remoteHost: SocksRemoteHost }];
      const peer = connect(bnd);
      t.after(() => peer.destroy());
      const [{ socket, remoteHost }] = await once(client, "established");
      const port = peer.localPort as number;
      assert.deepEqual(remoteHost, { host: bnd.host, port });
      peer.pipe(peer);
      socket.end(sent);
      assert.ok(Buffer.concat(await socket.toArray()).equals(sent));
      await assertCarried("bind", port);
    });
  }

  await t.test("UDP ASSOCIATE", async (t) => {
    const { socket: peer } = await Peer.bind(t);
    peer.on("message", (data, { address, port }) => peer.send(data, port, address));
    const ours = createSocket("udp4");
    t.after(() => ours.close());
    ours.bind(0, "127.0.0.1");
    await once(ours, "listening");
    const destination = { host: "0.0.0.0", port: 0 };
    const client = start({ command: "associate", proxy: through(5), destination });
    const [{ socket, remoteHost: relay }] = await once(client, "established");
    const data = randomBytes(1200);
    const remoteHost = { host: "127.0.0.1", port: peer.address().port };
    ours.send(SocksClient.createUDPFrame({ remoteHost, data }), relay.port, relay.host);
    const [datagram] = await once(ours, "message");
    const frame = SocksClient.parseUDPFrame(datagram);
    assert.deepEqual(frame.remoteHost, remoteHost);
    assert.ok(frame.data.equals(data));
    socket.end();
    const { command, level, principal, bytesUp, bytesDown } = await proxy.audit(
      (line) => line.command === "udp-associate",
    );
    assert.deepEqual(
      [command, principal, level, bytesUp, bytesDown],
      ["udp-associate", "alice@EXAMPLE.TEST", "confidentiality", data.length, data.length],
    );
  });
});

function start(options: SocksClientOptions): SocksClient {
  const client = new SocksClient(options);
  client.connect();
  return client;
}
