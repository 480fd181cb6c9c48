/**
 * What is tested: IPv6 on every side, in a network namespace: listeners on `[::1]` and on `*`, at which an IPv4 client is
 * an IPv4 client; IPv6 destinations with their BND.ADDR; `gssocks connect --proxy [::1]:PORT` with a key for that name.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { connectRequest, RawClient } from "../support/raw-client.js";

const NETWORK = {
  ip: ["addr add 192.0.2.10/32 dev lo", "addr add 2001:db8::10/128 dev lo"],
  hosts: { "six.example.test": ["2001:db8::10"] },
};

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("IPv6 on every side", async (t) => {
    const { realm, proxy } = await proxiedRealm(
      t,
      {
        listeners: [{ address: "[::1]:0" }, { address: "*:0" }, { address: "0.0.0.0:0" }],
        rules: [{ allow: { to: ["127.0.0.0/8", "::1"] } }, { allow: {} }],
      },
      { services: ["rcmd/::1"] },
    );
    const [six, both, four] = proxy.ports as [number, number, number];
    const origin = await Origin.start(echo, "::");
    t.after(() => origin.stop());

    /** Where a client connects to, and what the log calls the listener there. */
    const CLIENTS: readonly [host: string, port: number, listener: string][] = [
      ["::1", six, "[::1]"],
      ["::1", both, "[::]"],
      ["2001:db8::10", both, "[::]"],
      ["127.0.0.1", both, "[::]"],
      ["192.0.2.10", both, "[::]"],
      ["127.0.0.1", four, "0.0.0.0"],
    ];
    for (const [host, port, listener] of CLIENTS) {
      await t.test(`${host} at ${listener}:${port}`, async () => {
        const client = await RawClient.ready({ host, port });
        assert.equal(await client.request("127.0.0.1", origin.port), 0x00);
        await origin.next();
        client.socket.end();
        // Its own view of its address: IPv4 as IPv4.
        assert.match(client.address, host.includes(":") ? /^\[[0-9a-f:]+\]:\d+$/ : /^[\d.]+:\d+$/);
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.listener, record.outcome], [`${listener}:${port}`, "completed"]);
        for (const line of proxy.log().filter(({ session }) => session === record.session))
          assert.equal(line.client, client.address, line.msg);
        client.close();
      });
    }

    await t.test("0.0.0.0 does not listen on IPv6, nor [::1] on another address", async () => {
      await assert.rejects(RawClient.connect(four, "::1"), /ECONNREFUSED/);
      await assert.rejects(RawClient.connect(six, "127.0.0.1"), /ECONNREFUSED/);
    });

    const DESTINATIONS: readonly [host: string, address: string, bnd: string][] = [
      ["::1", "[::1]", "00000000000000000000000000000001"],
      ["2001:db8::10", "[2001:db8::10]", "20010db8000000000000000000000010"],
      ["six.example.test", "[2001:db8::10]", "20010db8000000000000000000000010"],
    ];
    for (const [host, address, bnd] of DESTINATIONS) {
      await t.test(`the destination ${host}, with BND.ADDR`, async () => {
        const client = await RawClient.ready({ port: both });
        const reply = await client.ask(connectRequest(host, origin.port));
        const bound = (await origin.next()).remotePort as number;
        assert.equal(reply.toString("hex"), `05000004${bnd}${bound.toString(16).padStart(4, "0")}`);
        client.send(client.seal(Buffer.from("hello")));
        assert.equal((await client.openOctets(5)).toString(), "hello");
        client.socket.end();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.equal(record.address, `${address}:${origin.port}`);
        const asked = host.includes(":") ? `[${host}]` : host;
        assert.equal(record.destination, `${asked}:${origin.port}`);
        client.close();
      });
    }

    await t.test("gssocks connect --proxy [::1]:PORT asks for the key of that name", async () => {
      const args = ["connect", "2001:db8::10", String(origin.port), "--proxy", `[::1]:${six}`];
      const { code, stdout, stderr } = await gssocks(args, { env: realm.env, input: "hello" });
      assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "hello", stderr: "" });
      const line = await proxy.waitForLog(
        (each) => each.msg === "authenticated" && each.acceptor !== "rcmd/localhost@EXAMPLE.TEST",
      );
      assert.equal(line.acceptor, "rcmd/::1@EXAMPLE.TEST");
      const record = await proxy.audit((each) => each.session === line.session);
      assert.deepEqual([record.outcome, record.listener], ["completed", `[::1]:${six}`]);
    });
  });
});
