/**
 * What is tested: two and three proxies one behind the other, each of which takes the ticket that the user has delegated,
 * so that all of them judge and audit the user; a client that delegates nothing; a rule of the last proxy for one user; and
 * proxies that lead to each other in a loop.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "../../src/index.js";
import { chainOf, EVERYTHING } from "../support/chain.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";
import { showOnFailure } from "../support/show-on-failure.js";

const DELEGATED = { gssapi: { credential: "delegated" } };

for (const count of [2, 3]) {
  test(`${count} proxies know the user by the delegated ticket`, async (context) => {
    const upstreams = Array.from({ length: count - 1 }, () => DELEGATED);
    const { realm, proxies } = await chainOf(context, upstreams);
    const origin = await Origin.start(echo);
    context.after(() => origin.stop());
    const bob = await realm.kinit("bob", { ccache: "bob", args: ["-f"] });
    // The proxies were started with alice's.
    realm.enter(bob);
    const stream = await connect({
      proxy: { host: "localhost", port: proxies[0].port },
      destination: { host: "127.0.0.1", port: origin.port },
      delegate: true,
    });
    stream.end("octets");
    assert.equal(String((await once(stream, "data"))[0]), "octets");
    for (const proxy of proxies) {
      const { principal, outcome, level } = await proxy.audit();
      assert.deepEqual([principal, outcome, level], ["bob@EXAMPLE.TEST", "completed", "confidentiality"]);
    }
  });
}

test("who delegates nothing is refused, with the remedy", async (context) => {
  const { proxies, last } = await chainOf(context, [DELEGATED]);
  const opened = connect({
    proxy: { host: "localhost", port: proxies[0].port },
    destination: { host: "127.0.0.1", port: 9 },
  });
  await assert.rejects(opened, { code: "RULE_DENIED" });
  const { code, reason } = await proxies[0].audit();
  assert.equal(code, "NOT_DELEGATED");
  assert.match(String(reason), /kinit -f/);
  assert.deepEqual(last.audits(), []);
});

test("proxies that lead to each other end a session, and say why", async (context) => {
  const { realm, proxy: first } = await proxiedRealm(context);
  const via = (port: number) => ({
    upstreams: { next: { proxies: [`localhost:${port}`] } },
    rules: [{ allow: EVERYTHING, via: "next" }],
  });
  const second = await ProxyServer.start(realm, via(first.port));
  showOnFailure(context, async () => second.logs());
  context.after(() => second.stop());
  await first.rewrite(via(second.port));
  first.signal("SIGHUP");
  await first.waitForLog(({ msg }) => msg === "reloaded");
  await assert.rejects(
    connect({
      proxy: { host: "localhost", port: first.port },
      destination: { host: "127.0.0.1", port: 9 },
    }),
    { code: "REQUEST_REFUSED" },
  );
  const reasons = [first, second].flatMap((proxy) => proxy.log().map(({ code }) => code));
  assert.ok(reasons.includes("LOOP"), `${reasons}`);
});
