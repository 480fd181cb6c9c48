/**
 * What is tested: /healthz and /readyz of a server process. Ready once it listens; not ready while its keytab is gone,
 * with the reason, and again when that is back; not ready while it drains, though healthy and with its metrics to be read,
 * until the last session is over; nothing of it on a SOCKS listener, and no way to it through one, but by a rule that
 * names it.
 */
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { test } from "node:test";
import { get } from "../support/http.js";
import { metricsPort, scrape } from "../support/metrics.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

test("whether a server is alive and ready", async (t) => {
  const { realm, proxy } = await proxiedRealm(t, {
    metrics: { address: "127.0.0.1:0" },
    timeouts: { drain: "1h" },
  });
  const port = await metricsPort(proxy);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const told = async (path: string) => {
    const { status, body } = await get(port, path);
    return [status, body];
  };
  const assertHealthy = async () => assert.deepEqual(await told("/healthz"), [200, "healthy\n"]);

  await t.test("it listens and has its keytab", async () => {
    assert.deepEqual(await told("/readyz"), [200, "ready\n"]);
    await assertHealthy();
  });

  await t.test("the keytab is gone", async () => {
    await rename(realm.keytab, `${realm.keytab}.away`);
    const [status, reasons] = await told("/readyz");
    assert.equal(status, 503);
    assert.match(String(reasons), /^gss_acquire_cred_from: .*keytab.*\n$/);
    await assertHealthy();
    await rename(`${realm.keytab}.away`, realm.keytab);
    assert.deepEqual(await told("/readyz"), [200, "ready\n"]);
  });

  await t.test("it is nothing that a SOCKS listener knows", async () => {
    const client = await RawClient.connect(proxy.port);
    client.send(Buffer.from("GET /metrics HTTP/1.1\r\n\r\n"));
    assert.equal((await client.farewell()).octets.length, 0);
    client.close();
    assert.equal((await proxy.audit((each) => each.client === client.address)).code, "BAD_VERSION");
  });

  await t.test("a rule on its network does not lead to it", async () => {
    const client = await RawClient.ready(proxy);
    assert.equal(await client.request("127.0.0.1", port), 2);
    client.close();
    const { reason } = await proxy.audit((each) => each.client === client.address);
    assert.match(String(reason), /protected destination: own listener/);
  });

  await t.test("it drains", async () => {
    const client = await RawClient.through(proxy, origin);
    t.after(() => client.close());
    proxy.signal("SIGTERM");
    await proxy.waitForLog(({ msg }) => msg === "draining");
    assert.deepEqual(await told("/readyz"), [503, "the server is draining\n"]);
    await assertHealthy();
    assert.equal((await scrape(port)).value("gssocks_sessions", { state: "relay" }), 1);
    client.socket.end();
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    await assert.rejects(get(port, "/healthz"), { code: "ECONNREFUSED" });
  });
});
