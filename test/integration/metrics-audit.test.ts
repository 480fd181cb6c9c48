/**
 * What is tested: what the metrics of a server process tell of an audit trail that can't be written. With `block` it is
 * not ready, and whoever is refused for it is counted; with `drop` it is ready, and each record that is lost is counted.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { get } from "../support/http.js";
import { metricsPort, scrape } from "../support/metrics.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

/** The trail's first record is all that there is room for. */
async function start(t: TestContext, onFull: "block" | "drop") {
  const { proxy } = await proxiedRealm(t, {
    audit: { file: "/dev/full", queue: 1, onFull },
    metrics: { address: "127.0.0.1:0" },
    timeouts: { drain: "0s" },
  });
  const port = await metricsPort(proxy);
  await proxy.waitForLog(({ msg }) => msg === "audit trail fails");
  return { proxy, port };
}

test("block", async (t) => {
  const { proxy, port } = await start(t, "block");
  const { status, body } = await get(port, "/readyz");
  assert.equal(status, 503);
  assert.match(body, /^1 records wait for the audit trail, which is the limit \(audit\.queue\)\n$/);
  const refused = connect(proxy.port, "127.0.0.1").on("error", () => {});
  t.after(() => refused.destroy());
  await proxy.waitForLog(({ msg, code }) => msg === "connection refused" && code === "AUDIT_FULL");
  const seen = await scrape(port);
  assert.deepEqual(seen.counts("gssocks_limit_hits_total"), { "audit.queue": 1 });
  assert.equal(seen.value("gssocks_audit_records_dropped_total"), 0);
});

test("drop", async (t) => {
  const { proxy, port } = await start(t, "drop");
  assert.equal((await get(port, "/readyz")).status, 200);
  const client = await RawClient.ready(proxy);
  assert.equal(await client.request("192.0.2.1", 80), 2);
  await client.farewell();
  client.close();
  await proxy.waitForLog(({ msg }) => msg === "session failed");
  // One for the decision, one for the session's end.
  const seen = await scrape(port);
  assert.equal(seen.value("gssocks_audit_records_dropped_total"), 2);
  assert.deepEqual(seen.counts("gssocks_decisions_total"), { "deny none": 1 });
});
