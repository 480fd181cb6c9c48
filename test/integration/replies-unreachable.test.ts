/**
 * What is tested: the reply (RFC 1928 §6) where the way to a destination is missing, in a network namespace with such
 * routes: REP 0x03 and 0x04, 0x06 for a destination from which nothing comes back, 0x01 where this host forbids the way.
 * Sealed at level confidentiality, with the log line and the audit record.
 */
import { test } from "node:test";
import { formatEndpoint, parseHost } from "../../src/protocol/address.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";
import { connectRequest } from "../support/raw-client.js";
import { assertRefused } from "../support/refused.js";

const NETWORK = {
  ip: [
    // A source address for IPv4 and IPv6 each.
    "addr add 192.0.2.10/32 dev lo",
    "addr add 2001:db8::10/128 dev lo",
    "route add unreachable 203.0.113.1",
    "route add unreachable 2001:db8:1::1",
    "route add blackhole 203.0.113.2",
    "route add blackhole 2001:db8:1::2",
    "route add prohibit 203.0.113.3",
    "route add prohibit 2001:db8:1::3",
    // Out, back in, and dropped there: nobody has the address.
    "route add 198.51.100.0/24 dev lo",
  ],
  hosts: {
    "away.example.test": ["203.0.113.1", "2001:db8:1::1"],
    "silent.example.test": ["198.51.100.1"],
  },
};

const UNREACHABLE: Readonly<Record<string, [to: string, reason: RegExp]>> = {
  "0x03, no route": ["198.18.0.1", /^198\.18\.0\.1 port 80: network unreachable \(ENETUNREACH\)$/],
  "0x03, no IPv6 route": ["2001:db8:2::1", /^2001:db8:2::1 port 80: network unreachable \(ENETUNREACH\)$/],
  "0x03, a black hole": ["203.0.113.2", /^203\.0\.113\.2 port 80: network unreachable \(EINVAL\)$/],
  "0x03, an IPv6 black hole": ["2001:db8:1::2", /^2001:db8:1::2 port 80: network unreachable \(EINVAL\)$/],
  "0x04, host unreachable": ["203.0.113.1", /^203\.0\.113\.1 port 80: host unreachable \(EHOSTUNREACH\)$/],
  "0x04, IPv6": ["2001:db8:1::1", /^2001:db8:1::1 port 80: host unreachable \(EHOSTUNREACH\)$/],
  "0x04, every address of a name": ["away.example.test", / port 80: host unreachable \(EHOSTUNREACH\)$/],
  "0x01, a way that this host forbids": ["203.0.113.3", /^203\.0\.113\.3 port 80: EACCES$/],
  "0x01, IPv6": ["2001:db8:1::3", /^2001:db8:1::3 port 80: EACCES$/],
};

const ALL = { rules: [{ allow: {} }] };

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("replies where there is no way", async (t) => {
    const { proxy, realm } = await proxiedRealm(t, ALL);
    const to = (host: string) => ({
      request: connectRequest(host, 80).toString("hex"),
      destination: formatEndpoint({ host: parseHost(host), port: 80 }),
    });

    for (const [what, [host, reason]] of Object.entries(UNREACHABLE)) {
      const rep = Number(what.slice(0, 4));
      await t.test(what, () =>
        assertRefused(proxy, { ...to(host), rep, rule: 1, code: "DESTINATION_REFUSED", reason }),
      );
    }

    await t.test("0x04, no such name", () =>
      assertRefused(proxy, {
        ...to("nosuch.example.test"),
        rep: 0x04,
        code: "NAME_NOT_FOUND",
        reason: /^the name nosuch\.example\.test does not exist$/,
      }),
    );

    const hasty = await ProxyServer.start(realm, { ...ALL, timeouts: { connect: "300ms" } });
    t.after(() => hasty.stop());
    for (const host of ["198.51.100.1", "silent.example.test"]) {
      await t.test(`0x06, silence from ${host}`, () =>
        assertRefused(hasty, {
          ...to(host),
          rep: 0x06,
          rule: 1,
          code: "CONNECT_TIMEOUT",
          reason: /^the destination did not answer within 0\.3 s$/,
        }),
      );
    }
  });
});
