/** Whose a socket is, by the kernel's table and by its lists: both must say the same of real sockets. */
import assert from "node:assert/strict";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { native } from "../../../src/gss/native.js";
import { heldBy } from "../../../src/relay/socket-descriptor.js";
import { listedOwner } from "../../../src/server/kernel-connections.js";
import type { TcpAddress } from "../../../src/server/outgoing.js";
import { socketOwner } from "../../../src/server/socket-owner.js";
import { scratch } from "../../support/identd.js";
import { start } from "../../support/processes.js";

const skip = process.platform === "linux" ? false : "only Linux tells";
const UID = process.geteuid?.() ?? -1;
const needsRoot = UID === 0 ? false : "only root can be another user";

const WAYS = { "the table": socketOwner, "the lists": listedOwner };

async function accepted(server: Server): Promise<Socket> {
  const [socket] = await once(server, "connection");
  return socket as Socket;
}

async function listening(t: TestContext, host: string): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, host);
  t.after(() => server.close());
  await once(server, "listening");
  return { server, port: (server.address() as { port: number }).port };
}

function client({ remoteAddress = "", remotePort = 0 }: Socket): TcpAddress {
  return { address: remoteAddress, port: remotePort };
}

function own({ localAddress = "", localPort = 0 }: Socket): TcpAddress {
  return { address: localAddress, port: localPort };
}

for (const [listens, connects] of [
  ["127.0.0.1", "127.0.0.1"],
  ["::1", "::1"],
  ["::", "::1"],
  ["::", "127.0.0.1"],
  ["127.0.0.1", "::ffff:127.0.0.1"],
] as const) {
  test(`TCP to ${connects} where ${listens} listens`, { skip }, async (t) => {
    const { server, port } = await listening(t, listens);
    const socket = connect(port, connects);
    const served = await accepted(server);
    t.after(() => served.destroy());
    for (const [name, ownerOf] of Object.entries(WAYS)) {
      assert.equal(ownerOf("tcp", client(served), own(served)), UID, name);
      // Nobody has such a one, though somebody listens there.
      assert.equal(ownerOf("tcp", { ...own(served), port }, { ...client(served), port: 1 }), null, name);
    }
    socket.destroy();
    await once(served.resume(), "close");
    for (const [name, ownerOf] of Object.entries(WAYS))
      assert.equal(ownerOf("tcp", client(served), own(served)), null, `${name}: it is gone`);
  });
}

test("a client that has sent all it has to say is there as before", { skip }, async (t) => {
  const { server, port } = await listening(t, "127.0.0.1");
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const served = await accepted(server);
  t.after(() => socket.destroy());
  socket.end();
  await once(served.resume(), "end");
  for (const [name, ownerOf] of Object.entries(WAYS))
    assert.equal(ownerOf("tcp", { ...own(socket) }, { address: "127.0.0.1", port }), UID, name);
});

for (const [bound, from] of [
  ["127.0.0.1", "127.0.0.1"],
  ["0.0.0.0", "127.0.0.1"],
  ["::1", "::1"],
  ["::", "127.0.0.1"],
] as const) {
  test(`UDP from ${from} by a socket at ${bound}`, { skip }, async (t) => {
    const socket: UdpSocket = createSocket({ type: bound.includes(":") ? "udp6" : "udp4" });
    t.after(() => socket.close());
    socket.bind(0, bound);
    await once(socket, "listening");
    const at = { address: from, port: socket.address().port };
    for (const [name, ownerOf] of Object.entries(WAYS)) {
      assert.equal(ownerOf("udp", at, { address: from, port: 9 }), UID, name);
      assert.equal(ownerOf("udp", { ...at, port: 1 }, { address: from, port: 9 }), null, name);
    }
  });
}

test("another user's", { skip: skip || needsRoot }, async (t) => {
  const { server, port } = await listening(t, "127.0.0.1");
  const program = `
import socket, sys
tcp = socket.create_connection(("127.0.0.1", ${port}))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
print("udp", udp.getsockname()[1], flush=True)
sys.stdin.read()
`;
  const uid = 54321;
  const as = ["--reuid", String(uid), "--clear-groups", "/usr/bin/python3", "-c", program];
  const [other, served] = await Promise.all([start("setpriv", as, { test: t }), accepted(server)]);
  t.after(() => served.destroy());
  const [, udpPort] = await other.waitForLine(/^udp (\d+)$/);
  const at = { address: "127.0.0.1", port: Number(udpPort) };
  for (const [name, ownerOf] of Object.entries(WAYS)) {
    assert.equal(ownerOf("tcp", client(served), own(served)), uid, name);
    assert.equal(ownerOf("udp", at, own(served)), uid, name);
  }
});

test("what is no address has no owner", () => {
  const address = { address: "127.0.0.1", port: 1 };
  assert.equal(socketOwner("tcp", { address: "", port: 1 }, address), null);
  assert.equal(socketOwner("tcp", { address: "::1", port: 1 }, address), null);
  const octets = new Uint8Array(4);
  const ask = native.socketOwner as (...args: unknown[]) => number;
  assert.throws(() => ask("sctp", octets, 1, octets, 1), RangeError);
  assert.throws(() => ask("tcp", new Uint8Array(5), 1, new Uint8Array(5), 1), RangeError);
  assert.throws(() => ask("tcp", octets, 1, new Uint8Array(16), 1), RangeError);
  assert.throws(() => ask("tcp", octets, 65536, octets, 1), RangeError);
  assert.throws(() => ask("tcp", "127.0.0.1", 1, octets, 1), TypeError);
});

test("the peer of a Unix socket", async (t) => {
  const server = createServer().listen(path.join(await scratch(t), "socket"));
  t.after(() => server.close());
  await once(server, "listening");
  const socket = connect({ path: server.address() as string });
  const served = await accepted(server);
  t.after(() => served.destroy());
  const pid = process.platform === "linux" ? process.pid : 0;
  assert.deepEqual(native.peerCredentials(heldBy(served)), { uid: UID, pid });
  // As it was when it connected, for whoever has gone since.
  socket.destroy();
  await once(served.resume(), "end");
  assert.deepEqual(native.peerCredentials(heldBy(served)), { uid: UID, pid });
  const tcp = await listening(t, "127.0.0.1");
  const other = connect(tcp.port, "127.0.0.1");
  t.after(() => other.destroy());
  const accepting = await accepted(tcp.server);
  assert.equal(native.peerCredentials(heldBy(accepting)), null);
  accepting.destroy();
});

test("users by name", async () => {
  assert.equal(await native.userId("root"), 0);
  assert.equal(await native.userId("no-such-user-here"), null);
});
