/**
 * What is tested: what a rule says beside allow and deny, end to end: the reason and the severity in log and audit, the
 * level it requires, times and bandwidth of its own, where it leads instead, and from which address.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const SOURCE = "192.0.2.10";
const NETWORK = {
  ip: [`addr add ${SOURCE}/32 dev lo`, "addr add 192.0.2.20/32 dev lo", "addr add 2001:db8::1/128 dev lo"],
};
const PORT = 8000;
/** Octets, and a rate at which they take a second and a half. */
const AMOUNT = 300_000;
const RATE = "200kB/s";

const RULES = [
  {
    allow: { to: ["old.example.test", "192.0.2.30"], command: ["connect"] },
    redirect: `127.0.0.3:${PORT}`,
  },
  { deny: { to: ["192.0.2.20:1"] }, reason: "the ticket machine is closed", severity: "silent" },
  { deny: { to: ["192.0.2.20:2"] }, severity: "error" },
  {
    allow: { to: [`192.0.2.20:${PORT}`], level: "integrity" },
    requireLevel: "confidentiality",
    severity: "debug",
  },
  { allow: { to: ["127.0.0.1"], command: ["connect"] }, idle: "200ms" },
  { allow: { to: ["127.0.0.2"], command: ["connect"] }, total: "200ms" },
  { allow: { to: ["192.0.2.20", "2001:db8::1"], command: ["connect"] }, sourceAddresses: [SOURCE] },
  { allow: { to: ["127.0.0.4"] }, bandwidth: { up: RATE } },
];

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("what a rule says beside allow and deny", async (t) => {
    const { proxy } = await proxiedRealm(t, { rules: RULES });
    const origin = await Origin.start(echo, "::", PORT);
    const other = await Origin.start(echo, "192.0.2.20", 8001);
    t.after(() => Promise.all([origin.stop(), other.stop()]));
    const lineOf = (client: RawClient, msg: string) =>
      proxy.log().find((line) => line.msg === msg && line.client === client.address);
    const recordOf = (client: RawClient) => proxy.audit((each) => each.client === client.address);
    const denied = async (host: string, port: number) => {
      const client = await RawClient.ready(proxy);
      assert.equal(await client.request(host, port), 0x02);
      client.close();
      return { record: await recordOf(client), line: lineOf(client, "session failed") };
    };

    await t.test("a reason, and no line", async () => {
      const { record, line } = await denied("192.0.2.20", 1);
      const reason = "192.0.2.20:1 is denied: rule 2 denies 192.0.2.20:1: the ticket machine is closed";
      assert.deepEqual([record.rule, record.reason, line], [2, reason, undefined]);
    });

    await t.test("a line of another severity", async () => {
      const { record, line } = await denied("192.0.2.20", 2);
      assert.deepEqual([record.rule, line?.severity], [3, "error"]);
    });

    await t.test("the level that is required", async () => {
      const weak = await RawClient.ready(proxy, { level: 1 });
      assert.equal(await weak.request("192.0.2.20", PORT, false), 0x02);
      weak.close();
      const { rule, reason } = await recordOf(weak);
      const only = "only at level confidentiality, and the session's level is integrity";
      assert.deepEqual(
        [rule, reason],
        [4, `192.0.2.20:${PORT} is denied: rule 4 allows 192.0.2.20:${PORT}, level integrity ${only}`],
      );
      const strong = await RawClient.through(proxy, { host: "192.0.2.20", port: PORT });
      strong.socket.end();
      assert.equal((await recordOf(strong)).rule, 4);
      assert.equal(lineOf(strong, "connected")?.severity, "debug");
      strong.close();
    });

    for (const [host, code] of [
      ["127.0.0.1", "IDLE_TIMEOUT"],
      ["127.0.0.2", "TOTAL_TIMEOUT"],
    ] as const) {
      await t.test(`${code} by the rule's time`, async () => {
        const client = await RawClient.through(proxy, { host, port: PORT });
        assert.equal((await client.farewell()).how, "reset");
        assert.equal((await recordOf(client)).code, code);
        client.close();
      });
    }

    await t.test("elsewhere, without a look at where it asked for", async () => {
      for (const host of ["old.example.test", "192.0.2.30"]) {
        const client = await RawClient.through(proxy, { host, port: 80 });
        client.socket.end();
        const { rule, destination, address } = await recordOf(client);
        assert.deepEqual([rule, destination, address], [1, `${host}:80`, `127.0.0.3:${PORT}`]);
        client.close();
      }
    });

    await t.test("from an address of ours, and nowhere where there is none", async () => {
      const client = await RawClient.through(proxy, { host: "192.0.2.20", port: 8001 });
      const socket = await other.next();
      assert.equal(socket.remoteAddress, SOURCE);
      client.close();
      const none = await RawClient.ready(proxy);
      assert.equal(await none.request("2001:db8::1", PORT), 0x03);
      none.close();
      const { rule, code, reason } = await recordOf(none);
      assert.deepEqual([rule, code], [7, "NO_SOURCE_ADDRESS"]);
      assert.equal(reason, "rule 7 has no source address (sourceAddresses) for 2001:db8::1");
    });

    await t.test("no faster", async () => {
      const client = await RawClient.through(proxy, { host: "127.0.0.4", port: PORT });
      const began = performance.now();
      client.send(client.seal(Buffer.alloc(AMOUNT / 10)));
      for (let sent = 1; sent < 10; sent += 1) client.send(client.seal(Buffer.alloc(AMOUNT / 10)));
      await client.openOctets(AMOUNT);
      // Half of what it should take, as some may come at once.
      assert.ok(performance.now() - began > 750, `${performance.now() - began} ms`);
      client.close();
    });
  });
});
