/**
 * Python through `gssocks forward`: requests by SOCKS5, 4a and HTTP, urllib by the variables of `gssocks env`, PySocks with a
 * half-close, and DNS over UDP by dnspython on PySocks's datagrams, to a real DNS server that the proxy alone asks.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startDnsServer } from "../support/dns-server.js";
import { assertSealed, forwardedRealm } from "../support/forwarded-realm.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import { type Endpoint, pysocks, pythonThrough } from "../support/python.js";
import { startWebPages } from "../support/web-pages.js";

const NAMES = Array.from({ length: 50 }, (_, number) => `host${number}.example.test`);

test("Python", async (t) => {
  const { realm, proxy, forwarder } = await forwardedRealm(t);
  const through: Endpoint = ["127.0.0.1", forwarder.port];
  const { urls, authority, destinations, octets, sha256 } = await startWebPages(t, realm.dir);
  const pages = [
    [octets, sha256],
    [octets, sha256],
  ];

  for (const way of ["requests-socks5h", "requests-socks4a", "requests-http"] as const) {
    await t.test(way, async () => {
      const isNew = proxy.later();
      assert.deepEqual(await pythonThrough({ way, proxy: through, urls, authority }), pages);
      for (const destination of destinations) await assertSealed(proxy, destination, isNew);
    });
  }

  await t.test("urllib", async () => {
    const isNew = proxy.later();
    const args = ["env", "--listen", through.join(":"), "--direct", "none.example.test"];
    const { stdout } = await gssocks(args);
    const env = Object.fromEntries(
      [...stdout.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = "", value = ""]) => [name, value]),
    );
    assert.deepEqual(await pythonThrough({ way: "urllib", urls, authority }, env), pages);
    for (const destination of destinations) await assertSealed(proxy, destination, isNew);
  });

  await t.test("PySocks", async (t) => {
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const job = { version: 5, proxy: through, target: ["localhost", origin.port], send: 3_000_000 } as const;
    assert.deepEqual(await pysocks(job), { echoed: job.send, error: null });
    const { outcome } = await assertSealed(proxy, `localhost:${origin.port}`);
    assert.equal(outcome, "completed");
  });

  await t.test("DNS over UDP", async (t) => {
    const records = NAMES.map((name, number) => `host-record=${name},192.0.2.${number}`);
    const dns = await startDnsServer(t, records);
    const server = [dns.address, dns.port] as const;
    const found = await pythonThrough({ way: "dnspython", proxy: through, names: NAMES, server });
    assert.deepEqual(
      found,
      NAMES.map((_, number) => [`192.0.2.${number}`]),
    );
    // dnspython has a socket for each question, and so an association.
    const associations = new Set<unknown>();
    await proxy.audit(({ command, principal, level, session }) => {
      const who = [command, principal, level].join(" ");
      if (who === "udp-associate alice@EXAMPLE.TEST confidentiality") associations.add(session);
      return associations.size === NAMES.length;
    });
  });
});
