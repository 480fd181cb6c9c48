/**
 * Debian's netcat-openbsd as the client: SOCKS4 and 5 without a user, by address and by name, over IPv4 and IPv6; and
 * where a user is asked for, which it cannot name, it is refused.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Conversation, PlainProxy } from "../support/plain-proxy.js";

test("nc through the proxy", async (t) => {
  const proxy = await PlainProxy.start(t);
  const nc = (version: "4" | "5", through: string, host: string, port: number) =>
    ["nc", "-N", "-w", "20", "-X", version, "-x", through, host, String(port)] as const;
  const ipv4 = `127.0.0.1:${proxy.open}`;
  const ipv6 = `[::1]:${proxy.openIpv6}`;

  const cases: [what: string, version: "4" | "5", through: string, host: string, Conversation][] = [
    ["SOCKS4", "4", ipv4, "127.0.0.1", {}],
    ["SOCKS4 to the proxy's IPv6 address", "4", ipv6, "127.0.0.1", {}],
    ["SOCKS5", "5", ipv4, "127.0.0.1", {}],
    ["SOCKS5, a name that the proxy resolves", "5", ipv4, "localhost", { asks: "localhost" }],
    ["SOCKS5 to an IPv6 address", "5", ipv4, "::1", { at: "::1" }],
    ["SOCKS5 to an IPv6 address through another one", "5", ipv6, "::1", { at: "::1" }],
  ];
  for (const [what, version, through, host, conversation] of cases) {
    await t.test(what, () => proxy.assertEchoes((port) => nc(version, through, host, port), conversation));
  }

  const guarded = `127.0.0.1:${proxy.guarded}`;
  await t.test("SOCKS5 where a password is asked for", async () => {
    await proxy.assertRefused("NO_ACCEPTABLE_METHOD", nc("5", guarded, "127.0.0.1", 1));
  });
  await t.test("SOCKS4 where a user is asked for: no rule names the method empty", async () => {
    const { method } = await proxy.assertRefused("RULE_DENIED", nc("4", guarded, "127.0.0.1", 1));
    assert.equal(method, "empty");
  });
});
