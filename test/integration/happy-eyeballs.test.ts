/**
 * What is tested: names with an IPv6 and an IPv4 address of which one does not work (RFC 8305), from the request to the
 * data, in a network namespace with such names: whichever address answers is used, by the server towards the destination
 * and by `gssocks connect` towards the proxy; what a rule denies is not dialed.
 */
import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

const V4 = "192.0.2.10";
const DEAD_V4 = "192.0.2.11";
const V6 = "2001:db8::10";
const SILENT_V6 = "2001:db8::11";
const DEAD_V6 = "2001:db8::12";
const DENIED_V6 = "2001:db8:d::10";
const UNREACHABLE_V6 = "2001:db8:1::1";

/** RFC 8305 §5 has the second address wait for 250 ms; a timer may be a little early. */
const HEAD_START_MS = 240;

const NETWORK = {
  ip: [
    ...[V4, DEAD_V4].map((address) => `addr add ${address}/32 dev lo`),
    ...[V6, SILENT_V6, DEAD_V6, DENIED_V6].map((address) => `addr add ${address}/128 dev lo`),
    `route add unreachable ${UNREACHABLE_V6}`,
  ],
  hosts: {
    "both.example.test": [V4, V6],
    "silent.example.test": [V4, SILENT_V6],
    "refused.example.test": [V4, DEAD_V6],
    "unreachable.example.test": [V4, UNREACHABLE_V6],
    "denied.example.test": [V4, DENIED_V6],
    "only6.example.test": [DEAD_V4, V6],
    "slow6.example.test": [DEAD_V4, SILENT_V6],
    // Of the proxy, for which the realm has a key.
    "proxy.example.test": [V4, SILENT_V6],
  },
};

/** Nothing of it may wait for this: it is there to end a test that hangs. */
const PATIENCE = "60s";

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("names with two addresses", async (t) => {
    const { realm, proxy } = await proxiedRealm(t, {
      listeners: [{ address: "127.0.0.1:0" }, { address: `${V4}:1080` }],
      rules: [{ deny: { to: ["2001:db8:d::/48"] } }, { allow: {} }],
      timeouts: { connect: PATIENCE },
    });
    const v4 = await Origin.start(echo, V4);
    t.after(() => v4.stop());
    const { port } = v4;
    const v6 = await Origin.start(echo, V6, port);
    t.after(() => v6.stop());
    const denied = await Origin.start(echo, DENIED_V6, port);
    t.after(() => denied.stop());
    const silent = await UnacceptingOrigin.start(SILENT_V6, port);
    t.after(() => silent.stop());

    /** Through the proxy and back. @returns the address that the audit record has */
    async function reached(host: string): Promise<unknown> {
      const client = await RawClient.through(proxy, { host, port });
      client.send(client.seal(Buffer.from("hello")));
      assert.equal((await client.openOctets(5)).toString(), "hello");
      client.socket.end();
      const record = await proxy.audit((each) => each.client === client.address);
      assert.deepEqual([record.outcome, record.destination], ["completed", `${host}:${port}`]);
      client.close();
      return record.address;
    }
    /** The tests below are none where the resolver prefers IPv4. */
    const assertIpv6First = async (host: string) =>
      assert.equal((await lookup(host, { all: true, order: "verbatim" }))[0]?.family, 6);

    await t.test("both answer: the resolver's first", async () => {
      await assertIpv6First("both.example.test");
      assert.equal(await reached("both.example.test"), `[${V6}]:${port}`);
    });

    await t.test("IPv6 is silent: IPv4, after its delay", async () => {
      await assertIpv6First("silent.example.test");
      const began = performance.now();
      assert.equal(await reached("silent.example.test"), `${V4}:${port}`);
      assert.ok(performance.now() - began >= HEAD_START_MS, "IPv6 had its head start");
    });

    await t.test("IPv6 refuses: IPv4", async () => {
      await assertIpv6First("refused.example.test");
      assert.equal(await reached("refused.example.test"), `${V4}:${port}`);
    });

    await t.test("IPv6 can't be reached: IPv4", async () => {
      assert.equal(await reached("unreachable.example.test"), `${V4}:${port}`);
    });

    await t.test("IPv4 refuses: IPv6", async () => {
      assert.equal(await reached("only6.example.test"), `[${V6}]:${port}`);
    });

    await t.test("IPv6 is denied: IPv4, and IPv6 sees nothing of it", async () => {
      await assertIpv6First("denied.example.test");
      assert.equal(await reached("denied.example.test"), `${V4}:${port}`);
      assert.equal(denied.sockets.length, 0);
    });

    await t.test("gssocks connect: the proxy's IPv6 address is silent", async (t) => {
      const nobody = await UnacceptingOrigin.start(SILENT_V6, 1080);
      t.after(() => nobody.stop());
      await assertIpv6First("proxy.example.test");
      const args = ["connect", "both.example.test", String(port), "--proxy", "proxy.example.test:1080"];
      const { code, stdout, stderr } = await gssocks(args, { env: realm.env, input: "hello" });
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "hello", stderr: "" });
      const record = await proxy.audit((each) => each.listener === `${V4}:1080`);
      assert.equal(record.outcome, "completed");
    });

    // Last: from here on the silent one answers.
    await t.test("IPv4 refuses and IPv6 takes its time: IPv6", async () => {
      await assertIpv6First("slow6.example.test");
      const coming = reached("slow6.example.test");
      await proxy.waitForLog(
        (line) => line.msg === "request" && line.destination === `slow6.example.test:${port}`,
      );
      silent.accept();
      assert.equal(await coming, `[${SILENT_V6}]:${port}`);
    });
  });
});
