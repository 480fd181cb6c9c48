/**
 * What is tested: a destination that resets right behind its last octets, which libuv may take for an end, is a reset for
 * the client and a failure for the audit trail, whoever carries the session: the addon's threads or Node, in clear and
 * sealed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client/socks-client.js";
import { reset } from "../../src/relay/cut-off.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";

const ROUNDS = 30;

for (const fastPath of [true, false]) {
  for (const level of ["confidentiality", "none"] as const) {
    test(`level ${level}, fastPath: ${fastPath}`, async (context) => {
      const { proxy } = await proxiedRealm(context, {
        gssapi: { fastPath, protectionLevels: ["confidentiality", "none"] },
      });
      const origin = await Origin.start((socket) => {
        socket.once("data", () => {
          socket.write(Buffer.alloc(1000));
          reset(socket);
        });
      });
      context.after(() => origin.stop());
      for (let round = 0; round < ROUNDS; round += 1) {
        const stream = await connect({
          proxy: { host: "localhost", port: proxy.port },
          destination: { host: "127.0.0.1", port: origin.port },
          levels: [level],
        });
        stream.write("now");
        await assert.rejects(stream.toArray(), { code: "CONNECTION_LOST" });
      }
      const broken = () => proxy.audits().filter(({ code }) => code === "CONNECTION_LOST");
      await proxy.waitForLog(() => broken().length === ROUNDS);
      assert.equal(proxy.audits().length, ROUNDS);
    });
  }
}
