/**
 * What is tested: a user who asks for many names whose DNS server never answers, in many sessions, while another user works.
 * In a network namespace with a resolv.conf of its own: her look-ups take her share of the threads, one for each name,
 * and keep it when she leaves; his handshakes and look-ups go on; hers end by a deadline, with REP 0x04 and a reason; and
 * the proxy stops without waiting for the threads.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startDnsServer } from "../support/dns-server.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { SilentDnsServer } from "../support/silent-dns-server.js";

const DNS = { address: "127.0.0.53", port: 53 };
const SILENT = { address: "127.0.0.54", port: 53 };

const NETWORK = {
  ip: [],
  // Longer than the test may take: no look-up of a slow name ends by itself.
  dns: [`nameserver ${DNS.address}`, "options timeout:30 attempts:5"],
};

/** A quarter of the resolver's places. */
const SHARE = 16;

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("slow names", async (t) => {
    const silent = await SilentDnsServer.start(SILENT.address, SILENT.port);
    t.after(() => silent.stop());
    const records = [
      `server=/slow.example.test/${SILENT.address}`,
      "host-record=echo.example.test,127.0.0.1",
      "host-record=denied.example.test,127.0.0.9",
    ];
    await startDnsServer(t, records, DNS);
    const { realm, proxy } = await proxiedRealm(t, {
      rules: [{ deny: { to: ["127.0.0.9"] } }, { allow: { to: ["127.0.0.0/8", "*.slow.example.test"] } }],
      timeouts: { connect: "60s" },
    });
    const origin = await Origin.start(echo, "127.0.0.1");
    t.after(() => origin.stop());
    const clients: RawClient[] = [];
    t.after(() => {
      for (const client of clients) client.close();
    });

    /** A session that has sent its request. */
    async function asking(host: string): Promise<RawClient> {
      const client = await RawClient.ready(proxy);
      clients.push(client);
      client.send(client.seal(connectRequest(host, 80)));
      await proxy.waitForLog(({ msg, client: from }) => msg === "request" && from === client.address);
      return client;
    }

    /** All that a session is, by another user. */
    async function work(): Promise<void> {
      const client = await RawClient.through(proxy, { host: "echo.example.test", port: origin.port });
      client.send(client.seal(Buffer.from("hello")));
      assert.equal((await client.openOctets(5)).toString(), "hello");
      client.socket.end();
      const record = await proxy.audit((each) => each.client === client.address);
      assert.deepEqual([record.outcome, record.principal], ["completed", "bob@EXAMPLE.TEST"]);
      client.close();
    }

    const same: RawClient[] = [];
    for (let count = 0; count < 20; count += 1) same.push(await asking("same.slow.example.test"));
    const others: RawClient[] = [];
    for (let count = 0; count < 60; count += 1) others.push(await asking(`n${count}.slow.example.test`));
    await silent.wasAsked(SHARE);

    realm.enter(await realm.kinit("bob", { ccache: "bob" }));
    await t.test("another user's handshakes and look-ups go on", async () => {
      await Promise.all(Array.from({ length: 20 }, work));
      const refused = await RawClient.ready(proxy);
      assert.equal(await refused.request("denied.example.test", 80), 0x02);
      refused.close();
      const missing = await RawClient.ready(proxy);
      assert.equal(await missing.request("nosuch.example.test", 80), 0x04);
      missing.close();
      const ended = proxy.audits().filter(({ principal }) => principal === "alice@EXAMPLE.TEST");
      assert.deepEqual(ended, [], "every slow look-up was under way all the while");
    });

    await t.test("one look-up for one name, and a share of the threads for one user", () => {
      assert.equal(silent.names.length, SHARE);
      assert.equal(silent.queries("same.slow.example.test"), 2, "A and AAAA, for twenty sessions");
    });

    await t.test("who leaves ends the session at once, but the threads are not free yet", async () => {
      for (const client of others.slice(0, 30)) {
        // An end alone is none: a client may have sent all that it has.
        client.socket.resetAndDestroy();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.outcome, record.code], ["failed", "CONNECTION_LOST"]);
      }
      await work();
      assert.equal(silent.names.length, SHARE);
    });

    await t.test("the deadline: REP 0x04 and the reason, whether it was under way or waited", async () => {
      const expected = { same: same[0] as RawClient, n59: others[59] as RawClient };
      for (const [label, client] of Object.entries(expected)) {
        assert.equal((await client.open())[1], 0x04);
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.outcome, record.code], ["failed", "LOOKUP_TIMEOUT"]);
        const reason = `no answer to the look-up of the name ${label}.slow.example.test within 15 s`;
        assert.equal(record.reason, reason);
      }
    });

    await t.test("the proxy stops, threads or no threads", async () => {
      proxy.signal("SIGTERM");
      assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    });
  });
});
