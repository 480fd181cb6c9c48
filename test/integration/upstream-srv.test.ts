/**
 * What is tested: proxies that a real DNS server names by SRV records, in a network of the test's own, over a real KDC, some
 * of them inside TLS: which name is asked for, priorities, hosts that are not trusted, the service's name, what is kept
 * while DNS is gone, and that a proxy whose TLS fails is passed over.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ProxyStream } from "../../src/client/proxy-stream.js";
import { Upstream, type UpstreamOptions } from "../../src/client/upstream.js";
import { GssocksError } from "../../src/errors.js";
import type { UpstreamEvent } from "../../src/observability/events.js";
import { parseHost } from "../../src/protocol/address.js";
import { CMD } from "../../src/protocol/constants.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { startDnsServer } from "../support/dns-server.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";

const DNS = { address: "127.0.0.53", port: 53 };
const ADDRESSES = { one: "192.0.2.1", two: "192.0.2.2", evil: "192.0.2.66" };
const NETWORK = {
  ip: Object.values(ADDRESSES).map((address) => `addr add ${address}/32 dev lo`),
  dns: [`nameserver ${DNS.address}`, "options timeout:1 attempts:1"],
};
const PORT = 1080;
const HOSTS = [
  `host-record=one.example.test,${ADDRESSES.one}`,
  `host-record=two.example.test,${ADDRESSES.two}`,
  `host-record=evil.test,${ADDRESSES.evil}`,
];
const TICKETS = { services: ["rcmd/one.example.test", "rcmd/two.example.test"] };

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("proxies that DNS names", async (t) => {
    const { realm, proxy: one } = await proxiedRealm(
      t,
      async ({ dir }) => {
        const tls = await makeCertificate(dir, "one", "DNS:one.example.test", await makeAuthority(dir));
        return {
          listeners: [
            { address: `${ADDRESSES.one}:${PORT}` },
            { address: `${ADDRESSES.one}:1443`, tls: { ...tls, channelBindings: { required: true } } },
          ],
        };
      },
      TICKETS,
    );
    const stranger = await makeAuthority(realm.dir, "stranger");
    const bad = await makeCertificate(realm.dir, "two", "DNS:two.example.test", stranger);
    const two = await ProxyServer.start(realm, {
      listeners: [{ address: `${ADDRESSES.two}:${PORT}` }, { address: `${ADDRESSES.two}:1443`, tls: bad }],
    });
    const evil = await Origin.start(echo, ADDRESSES.evil, PORT);
    const origin = await Origin.start(echo);
    t.after(() => Promise.all([two.stop(), evil.stop(), origin.stop()]));

    function upstream(options: Partial<UpstreamOptions> = {}) {
      const events: UpstreamEvent[] = [];
      const upstream = new Upstream({
        name: "next",
        srv: "example.test",
        observer: (event) => void events.push(event),
        ...options,
      });
      t.after(() => upstream.close());
      /** Which proxy it goes through, and as whom the proxy has shown itself. */
      const through = async () => {
        const dst = { host: parseHost("127.0.0.1"), port: origin.port };
        const opened = await upstream.open({ cmd: CMD.CONNECT, dst });
        new ProxyStream(opened).destroy();
        return `${opened.proxy.host} ${opened.session.acceptor}`;
      };
      const told = () => events.filter(({ type }) => type !== "ticket");
      return { upstream, through, told };
    }

    const ONE = "one.example.test rcmd/one.example.test@EXAMPLE.TEST";
    const TWO = "two.example.test rcmd/two.example.test@EXAMPLE.TEST";

    await t.test("no DNS server: said so, and found as soon as there is one", async () => {
      const { through, told, upstream: group } = upstream();
      await assert.rejects(through(), (error: unknown) => {
        assert.ok(error instanceof GssocksError);
        assert.equal(error.code, "NO_PROXY");
        assert.match(error.message, /_gssocks\._tcp\.example\.test could not be looked up/);
        return true;
      });
      assert.deepEqual(
        told().map((event) => event.type === "proxies-not-found" && event.code),
        ["TRY_AGAIN"],
      );
      const dns = await startDnsServer(
        t,
        [
          ...HOSTS,
          `srv-host=_gssocks._tcp.example.test,two.example.test,${PORT},20,1`,
          `srv-host=_gssocks._tcp.example.test,one.example.test,${PORT},10,1`,
          `srv-host=_gssocks._tcp.example.test,evil.test,${PORT},1,1`,
          `srv-host=_socks._tcp.example.test,evil.test,${PORT},1,1`,
        ],
        DNS,
      );
      // By itself, or asked: whichever comes first.
      while (group.status().proxies.length === 0) await delay(50);
      assert.equal(await through(), ONE);
      assert.deepEqual(told().at(-1), {
        type: "proxies-found",
        upstream: "next",
        service: "_gssocks._tcp.example.test",
        proxies: [`one.example.test:${PORT}`, `two.example.test:${PORT}`],
        refused: [`evil.test:${PORT}`],
      });
      assert.deepEqual(
        group
          .status()
          .proxies.map(({ address, from, state }) => [address, from, state])
          .sort(),
        [
          [`one.example.test:${PORT}`, "_gssocks._tcp.example.test", "up"],
          [`two.example.test:${PORT}`, "_gssocks._tcp.example.test", "unknown"],
        ],
      );
      assert.equal(evil.sockets.length, 0, "who is not trusted is not even connected to");

      // The answer of a server that is gone is kept, although it has ended.
      await dns.stop();
      while (group.status().srv?.error === null) await delay(50);
      assert.deepEqual(told().at(-1)?.type, "proxies-not-found");
      assert.equal(group.status().proxies.length, 2);
    });

    await t.test(
      "the common name where there is none of ours; hosts that are listed as trusted",
      async () => {
        const dns = await startDnsServer(
          t,
          [...HOSTS, `srv-host=_socks._tcp.example.test,two.example.test,${PORT},1,1`],
          DNS,
        );
        const { through, upstream: group } = upstream();
        assert.equal(await through(), TWO);
        assert.equal(group.status().proxies[0]?.from, "_socks._tcp.example.test");
        const strict = upstream({ trusted: ["one.example.test"] });
        await assert.rejects(strict.through(), /NO_PROXY|none that is trusted/);
        await dns.stop();
      },
    );

    await t.test("inside TLS with channel bindings: another authority's proxy is marked down", async () => {
      const dns = await startDnsServer(t, HOSTS, DNS);
      const ca = await readFile(`${realm.dir}/ca.pem`);
      const { through, told } = upstream({
        srv: undefined,
        proxies: [
          { host: "two.example.test", port: 1443 },
          { host: "one.example.test", port: 1443, targetName: "rcmd/one.example.test@EXAMPLE.TEST" },
        ],
        through: { tls: { ca } },
      });
      assert.equal(await through(), ONE);
      const [down] = told();
      assert.ok(down?.type === "proxy-state");
      assert.deepEqual([down.proxy, down.state, down.code], ["two.example.test:1443", "down", "TLS_FAILED"]);
      const record = await one.audit(({ listener }) => String(listener).endsWith(":1443"));
      assert.equal(record.channelBindings, "tls-server-end-point");
      await dns.stop();
    });
  });
});
