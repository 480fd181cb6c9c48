/**
 * What is tested: rules against names whose DNS somebody else controls, with a real DNS server in a network of its own. A
 * name that resolves to a denied address, to a mix of allowed and denied ones, or differently the second time leads only
 * where the rules allow, is looked up once for a request, and not at all where its name is denied.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { startDnsServer } from "../support/dns-server.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const DNS = { address: "127.0.0.53", port: 53 };
const NETWORK = {
  ip: [
    "addr add 192.0.2.10/32 dev lo",
    "addr add 192.0.2.11/32 dev lo",
    "addr add 10.66.0.1/32 dev lo",
    "addr add 2001:db8::66/128 dev lo",
  ],
  dns: [`nameserver ${DNS.address}`],
};
const PORT = 8000;

/** How long the resolver keeps an answer, in ms, and some more. */
const KEPT = 1000 + 300;

const RULES = [
  { deny: { to: ["10.66.0.0/16", "2001:db8::/32", "*.bad.example.test"] } },
  { allow: { to: ["*.example.test"] } },
];

const ALLOWED = 0x00;
const DENIED = 0x02;
const REFUSED = 0x05;

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("a name leads nowhere that the rules deny", async (t) => {
    const dns = await startDnsServer(
      t,
      [
        "host-record=denied.example.test,10.66.0.1",
        "host-record=mixed.example.test,10.66.0.1,2001:db8::66",
        "host-record=mixed.example.test,192.0.2.10",
        "host-record=dead.example.test,192.0.2.11",
        "host-record=dead.example.test,10.66.0.1",
        "host-record=loop.example.test,127.0.0.1",
        "host-record=allowed.bad.example.test,192.0.2.10",
      ],
      DNS,
    );
    const { proxy } = await proxiedRealm(t, { rules: RULES });
    const allowed = await Origin.start(echo, "192.0.2.10", PORT);
    const denied = await Origin.start(echo, "10.66.0.1", PORT);
    const denied6 = await Origin.start(echo, "2001:db8::66", PORT);
    const loopback = await Origin.start(echo, "127.0.0.1", PORT);
    t.after(() => Promise.all([allowed, denied, denied6, loopback].map((origin) => origin.stop())));

    const table: [host: string, rep: number, rule: number | null, reached: string | null, lookUps: number][] =
      [
        ["denied.example.test", DENIED, 1, null, 1],
        ["mixed.example.test", ALLOWED, 2, `192.0.2.10:${PORT}`, 1],
        // Nobody listens at the address that is allowed: no other takes its place.
        ["dead.example.test", REFUSED, 2, null, 1],
        ["loop.example.test", DENIED, null, null, 1],
        ["allowed.bad.example.test", DENIED, 1, null, 0],
      ];
    for (const [host, rep, rule, reached] of table) {
      await t.test(host, async () => {
        const client = await RawClient.ready(proxy);
        assert.equal(await client.request(host, PORT), rep);
        client.socket.end();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.rule, record.address], [rule, reached]);
        client.close();
      });
    }
    // All that it has to say is here once it has ended.
    await dns.stop();
    for (const [host, , , , lookUps] of table) assert.equal(dns.queries(host), lookUps, host);
    assert.equal(allowed.sockets.length, 1);
    assert.deepEqual(
      [denied, denied6, loopback].map(({ sockets }) => sockets.length),
      [0, 0, 0],
    );
  });

  test("a name that resolves differently the second time is judged the second time", async (t) => {
    const { proxy } = await proxiedRealm(t, { rules: RULES });
    const origins = [
      await Origin.start(echo, "192.0.2.10", PORT),
      await Origin.start(echo, "10.66.0.1", PORT),
    ];
    t.after(() => Promise.all(origins.map((origin) => origin.stop())));
    const steps: [address: string, rep: number][] = [
      ["192.0.2.10", ALLOWED],
      ["10.66.0.1", DENIED],
      ["192.0.2.10", ALLOWED],
    ];
    for (const [index, [address, rep]] of steps.entries()) {
      const dns = await startDnsServer(t, [`host-record=rebound.example.test,${address}`], DNS);
      if (index > 0) await delay(KEPT);
      const client = await RawClient.ready(proxy);
      assert.equal(await client.request("rebound.example.test", PORT), rep, `${index}: ${address}`);
      client.close();
      await dns.stop();
      assert.equal(dns.queries("rebound.example.test"), 1);
    }
    assert.deepEqual(
      origins.map(({ sockets }) => sockets.length),
      [2, 0],
    );
  });
});
