/**
 * ncat (of nmap's authors) as the client: SOCKS4, 4a and 5, names resolved by itself and by the proxy, without a user and
 * with one, right and wrong.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Conversation, PASSWORD, PlainProxy, USER } from "../support/plain-proxy.js";

type Type = "socks4" | "socks5";

test("ncat through the proxy", async (t) => {
  const proxy = await PlainProxy.start(t);
  const ncat = (type: Type, through: string, host: string, port: number, ...options: string[]) =>
    ["ncat", "--proxy-type", type, "--proxy", through, ...options, host, String(port)] as const;
  const open = `127.0.0.1:${proxy.open}`;
  const openIpv6 = `[::1]:${proxy.openIpv6}`;
  const guarded = `127.0.0.1:${proxy.guarded}`;
  const remote = ["--proxy-dns", "remote"];
  const local = ["-4", "--proxy-dns", "local"];
  const as = (user: string, password?: string) => [
    "--proxy-auth",
    password === undefined ? user : `${user}:${password}`,
  ];
  const asked = { principal: USER, method: "asserted" };
  const named = { principal: USER, method: "password" };

  const cases: [
    what: string,
    type: Type,
    through: string,
    host: string,
    options: string[],
    conversation: Conversation,
  ][] = [
    ["SOCKS4", "socks4", open, "127.0.0.1", [], {}],
    ["SOCKS4, a name that ncat resolves", "socks4", open, "localhost", local, {}],
    ["SOCKS4a, a name that the proxy resolves", "socks4", open, "localhost", remote, { asks: "localhost" }],
    ["SOCKS4 with a user", "socks4", guarded, "127.0.0.1", as(USER), asked],
    [
      "SOCKS4a with a user",
      "socks4",
      guarded,
      "localhost",
      [...remote, ...as(USER)],
      { ...asked, asks: "localhost" },
    ],
    ["SOCKS5", "socks5", open, "127.0.0.1", [], {}],
    ["SOCKS5, a name that ncat resolves", "socks5", open, "localhost", local, {}],
    ["SOCKS5, a name that the proxy resolves", "socks5", open, "localhost", remote, { asks: "localhost" }],
    ["SOCKS5 to an IPv6 address", "socks5", open, "::1", [], { at: "::1" }],
    ["SOCKS5 to an IPv6 address through another one", "socks5", openIpv6, "::1", [], { at: "::1" }],
    ["SOCKS5 with a password", "socks5", guarded, "127.0.0.1", as(USER, PASSWORD), named],
    ["SOCKS5 with a password that nobody asks for", "socks5", open, "127.0.0.1", as(USER, PASSWORD), {}],
  ];
  for (const [what, type, through, host, options, conversation] of cases) {
    await t.test(what, () =>
      proxy.assertEchoes((port) => ncat(type, through, host, port, ...options), conversation),
    );
  }

  await t.test("SOCKS5 with a wrong password", async () => {
    const record = await proxy.assertRefused(
      "BAD_PASSWORD",
      ncat("socks5", guarded, "127.0.0.1", 1, ...as(USER, "wrong")),
    );
    assert.deepEqual([record.principal, record.method, record.command], [null, null, null]);
  });
  await t.test("SOCKS5 without the password", async () => {
    await proxy.assertRefused("NO_ACCEPTABLE_METHOD", ncat("socks5", guarded, "127.0.0.1", 1));
  });
  await t.test("SOCKS4 with another user", async () => {
    await proxy.assertRefused("USER_NOT_ALLOWED", ncat("socks4", guarded, "127.0.0.1", 1, ...as("mallory")));
  });
});
