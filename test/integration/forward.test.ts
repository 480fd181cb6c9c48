/**
 * What is tested: `gssocks forward`, the user's own proxy in front of a real one: SOCKS5, 4 and 4a, and HTTP, all sealed on their way
 * as the user, names looked up by the proxy; what is refused there.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type ForwardedRealm, forwardedRealm } from "../support/forwarded-realm.js";
import type { Forwarder } from "../support/forwarder.js";
import { Origin } from "../support/origin.js";
import { runToEnd } from "../support/processes.js";

function forwarded(context: TestContext): Promise<ForwardedRealm> {
  const rules = [
    { deny: { to: ["denied.example.test"] } },
    { allow: { to: ["127.0.0.0/8", "::1", "localhost"] } },
  ];
  return forwardedRealm(context, { config: { rules } });
}

function curl(forwarder: Forwarder, scheme: string, url: string) {
  const proxy = `${scheme}://127.0.0.1:${forwarder.port}`;
  return runToEnd("curl", ["-sS", "--noproxy", "", "--proxy", proxy, url]);
}

/** An origin for curl. */
async function web(context: TestContext): Promise<Origin> {
  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  const origin = await Origin.start((socket) => socket.once("data", () => socket.end(answer)));
  context.after(() => origin.stop());
  return origin;
}

test("curl by every kind of SOCKS, and by HTTP", async (context) => {
  const { proxy, forwarder } = await forwarded(context);
  const origin = await web(context);
  for (const [scheme, host] of [
    ["socks4", "127.0.0.1"],
    ["socks4a", "localhost"],
    ["socks5", "127.0.0.1"],
    ["socks5h", "localhost"],
    ["http", "localhost"],
  ]) {
    const isNew = proxy.later();
    const { code, stdout, stderr } = await curl(forwarder, `${scheme}`, `http://${host}:${origin.port}/`);
    assert.deepEqual([code, stdout, stderr], [0, "ok", ""], scheme);
    const record = await proxy.audit(isNew);
    const { principal, level, destination } = record;
    assert.deepEqual(
      [principal, level, destination],
      ["alice@EXAMPLE.TEST", "confidentiality", `${host}:${origin.port}`],
    );
  }
});

test("what the proxy denies is refused here, and the log says why", async (context) => {
  const { forwarder } = await forwarded(context);
  const { code } = await curl(forwarder, "socks5h", "http://denied.example.test:80/");
  assert.equal(code, 97);
  const { reason } = await forwarder.waitForLog(({ msg }) => msg === "session failed");
  assert.match(String(reason), /denied\.example\.test/);
});
