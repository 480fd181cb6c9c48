// The kernel's list of connections knows the real ones of this host, by both ends, in every family.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { kernelHasConnection } from "../../../src/server/kernel-connections.js";
import { Origin } from "../../support/origin.js";

for (const [name, from, to, dialed = to, listened = to] of [
  ["IPv4", "127.0.0.3", "127.0.0.2"],
  ["IPv6", "::1", "::1"],
  ["IPv4 on an IPv6 socket", "127.0.0.1", "127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"],
] as const) {
  test(`a connection over ${name}`, async (t) => {
    const origin = await Origin.start((socket) => socket.resume(), listened);
    const socket = connect({ host: dialed, port: origin.port, localAddress: from });
    t.after(async () => {
      socket.destroy();
      await origin.stop();
    });
    await once(socket, "connect");
    const local = { address: from, port: socket.localPort ?? 0 };
    const remote = { address: to, port: origin.port };
    assert.equal(await kernelHasConnection(local, remote), true);
    assert.equal(await kernelHasConnection(remote, local), true, "the other end is on this host too");
    assert.equal(await kernelHasConnection({ ...local, address: "192.0.2.1" }, remote), false);
    assert.equal(await kernelHasConnection(local, { ...remote, address: "2001:db8::1" }), false);
    assert.equal(await kernelHasConnection({ ...local, port: 1 }, remote), false);
    assert.equal(await kernelHasConnection(local, { ...remote, port: 1 }), false);
  });
}

test("what is no connection, and what is no address", async () => {
  const nobody = { address: "127.0.0.1", port: 1 };
  assert.equal(await kernelHasConnection(nobody, nobody), false);
  assert.equal(await kernelHasConnection({ address: "no address", port: 1 }, nobody), false);
});
