// The npm package kerberos against the Python acceptor: the peer that our server's tests use is a working one.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { kerberosNpmInitiator } from "../support/kerberos-npm.js";
import { pythonAcceptor } from "../support/python.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

for (const mechanism of ["krb5", "spnego"] as const) {
  test(`npm kerberos establishes a context, ${mechanism}`, async (t) => {
    const realm = await Realm.start();
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    realm.enter(await realm.kinit("bob"));
    const acceptor = await pythonAcceptor({}, { env: realm.env, test: t });

    const socket = net.connect(acceptor.port, "127.0.0.1");
    t.after(() => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
    });
    const read = async (count: number) => {
      while (received.length < count) await once(socket, "data");
      const data = received.subarray(0, count);
      received = received.subarray(count);
      return data;
    };

    socket.write(Buffer.from([0x05, 0x01, 0x01]));
    assert.deepEqual([...(await read(2))], [0x05, 0x01]);
    const initiator = await kerberosNpmInitiator("rcmd@localhost", mechanism);
    let token = await initiator.step();
    while (!initiator.complete() || token.length > 0) {
      // 01 | mtyp 01 | len | token, RFC 1961 §3.2
      socket.write(Buffer.concat([Buffer.from([0x01, 0x01, token.length >> 8, token.length & 0xff]), token]));
      const head = await read(4);
      assert.deepEqual([...head.subarray(0, 2)], [0x01, 0x01]);
      token = await initiator.step(await read(head.readUInt16BE(2)));
    }
    socket.end();
    assert.equal((await acceptor.connection()).initiator, "bob@EXAMPLE.TEST");
  });
}
