/** socat as the client: SOCKS4 and 4a, with a user that is taken and one that is not. Debian's has no SOCKS5 yet. */
import { test } from "node:test";
import { type Conversation, PlainProxy, USER } from "../support/plain-proxy.js";

type Type = "SOCKS4" | "SOCKS4A";

test("socat through the proxy", async (t) => {
  const proxy = await PlainProxy.start(t);
  const socat = (type: Type, through: string, host: string, port: number, options: string) =>
    ["socat", "-t", "20", "STDIO", `${type}:${through}:${host}:${port},${options}`] as const;
  const open = `socksport=${proxy.open}`;
  const guarded = (user: string) => `socksport=${proxy.guarded},socksuser=${user}`;
  const asserted = { principal: USER, method: "asserted" };

  const cases: [what: string, type: Type, through: string, host: string, options: string, Conversation][] = [
    ["SOCKS4", "SOCKS4", "127.0.0.1", "127.0.0.1", open, {}],
    ["SOCKS4a", "SOCKS4A", "127.0.0.1", "localhost", open, { asks: "localhost" }],
    [
      "SOCKS4a through an IPv6 address",
      "SOCKS4A",
      "[::1]",
      "localhost",
      `socksport=${proxy.openIpv6},pf=ip6`,
      { asks: "localhost" },
    ],
    ["SOCKS4 with a user", "SOCKS4", "127.0.0.1", "127.0.0.1", guarded(USER), asserted],
    [
      "SOCKS4a with a user",
      "SOCKS4A",
      "127.0.0.1",
      "localhost",
      guarded(USER),
      { ...asserted, asks: "localhost" },
    ],
  ];
  for (const [what, type, through, host, options, conversation] of cases) {
    await t.test(what, () =>
      proxy.assertEchoes((port) => socat(type, through, host, port, options), conversation),
    );
  }

  await t.test("SOCKS4 with another user", async () => {
    await proxy.assertRefused(
      "USER_NOT_ALLOWED",
      socat("SOCKS4", "127.0.0.1", "127.0.0.1", 1, guarded("mallory")),
    );
  });
});
