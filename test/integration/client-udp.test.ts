/**
 * What is tested: our own client's UDP associations through a server process, over a real KDC, once per enctype: every
 * protection level, IPv4 and IPv6 and names, many datagrams at once, a destination that is denied, and either end's end.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type ProtectionLevel, type UdpAssociation, udpAssociate } from "../../src/index.js";
import { ENCTYPES } from "../support/enctypes.js";
import { LOCALHOST } from "../support/localhost.js";
import { proxiedRealm } from "../support/proxied-realm.js";

const LEVELS = ["confidentiality", "integrity", "none"] as const;

/** Sends back what comes. @returns its port */
async function echoServer(context: TestContext, address: string): Promise<number> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (data, from) => socket.send(data, from.port, from.address));
  socket.bind(0, address);
  await once(socket, "listening");
  context.after(() => socket.close());
  return socket.address().port;
}

async function ask(association: UdpAssociation, host: string, port: number, text: string) {
  const answered = once(association, "message");
  association.send(Buffer.from(text), { host, port });
  const [data, from] = await answered;
  return { text: String(data), from };
}

for (const enctype of ENCTYPES) {
  test(`UDP through our client, ${enctype}`, async (context) => {
    const config = { gssapi: { protectionLevels: [...LEVELS] }, timeouts: { idle: "3s" } };
    const { proxy } = await proxiedRealm(context, config, { enctypes: [enctype] });
    const ports = {
      ipv4: await echoServer(context, "127.0.0.1"),
      ipv6: await echoServer(context, "::1"),
      named: await echoServer(context, LOCALHOST),
    };
    const open = async (level: ProtectionLevel) => {
      const association = await udpAssociate({
        proxy: { host: "localhost", port: proxy.port },
        levels: [level],
      });
      context.after(() => association.close());
      return association;
    };

    for (const level of LEVELS) {
      await context.test(`level ${level}`, async () => {
        const association = await open(level);
        const { initiator, acceptor, mechanism, level: agreed, method } = association.session;
        assert.deepEqual(
          [initiator, acceptor, mechanism, agreed, method],
          ["alice@EXAMPLE.TEST", "rcmd/localhost@EXAMPLE.TEST", "krb5", level, "gssapi"],
        );
        const four = { host: "127.0.0.1", port: ports.ipv4 };
        assert.deepEqual(await ask(association, four.host, four.port, "four"), { text: "four", from: four });
        const six = { host: "::1", port: ports.ipv6 };
        assert.deepEqual(await ask(association, six.host, six.port, "six"), { text: "six", from: six });
        const named = await ask(association, "localhost", ports.named, "by name");
        assert.equal(named.text, "by name");

        const left = new Set(Array.from({ length: 200 }, (_, index) => `datagram ${index}`));
        const all = new Promise<void>((resolve) => {
          association.on("message", (data) => {
            left.delete(data.toString());
            if (left.size === 0) resolve();
          });
        });
        for (const text of left) association.send(Buffer.from(text), four);
        await all;
        association.close();
        const record = await proxy.audit(
          ({ level: its, command }) => its === level && command === "udp-associate",
        );
        assert.deepEqual(
          [record.principal, record.outcome, record.bytesUp, record.bytesDown],
          ["alice@EXAMPLE.TEST", "completed", record.bytesDown, record.bytesUp],
        );
        assert.ok(Number(record.bytesUp) > 200 * "datagram 0".length);
      });
    }

    await context.test("a denied destination costs that datagram alone", async () => {
      const association = await open("confidentiality");
      association.send(Buffer.from("denied"), { host: "203.0.113.1", port: 53 });
      const { text } = await ask(association, "127.0.0.1", ports.ipv4, "allowed");
      assert.equal(text, "allowed");
      association.close();
    });

    await context.test("the proxy ends one that is idle", async () => {
      const association = await open("confidentiality");
      const [error] = await once(association, "close");
      assert.equal(error.code, "CONNECTION_LOST");
      assert.throws(() => association.send(Buffer.from("late"), { host: "127.0.0.1", port: 9 }), {
        code: "CLOSED",
      });
      const record = await proxy.audit(({ code }) => code === "IDLE_TIMEOUT");
      assert.equal(record.command, "udp-associate");
    });
  });
}
