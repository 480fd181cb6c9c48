/**
 * The machine's own curl as the client, without GSS-API: all of its SOCKS schemes, HTTP through them, names resolved by
 * itself and by the proxy, IPv6, users and passwords, right, wrong and missing.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import path from "node:path";
import { test } from "node:test";
import { type Conversation, PASSWORD, PlainProxy, USER } from "../support/plain-proxy.js";
import { run } from "../support/processes.js";

const BODY = randomBytes(1 << 20);

test("curl through the proxy, without GSS-API", async (t) => {
  const proxy = await PlainProxy.start(t);
  const output = path.join(proxy.realm.dir, "fetched");
  const curl = (port: number, host: string, options: readonly string[]) =>
    [
      "curl",
      "-q",
      "-sS",
      "--max-time",
      "20",
      "--noproxy",
      "",
      ...options,
      `http://${host}:${port}/`,
    ] as const;
  const open = `127.0.0.1:${proxy.open}`;
  const openIpv6 = `[::1]:${proxy.openIpv6}`;
  const guarded = `127.0.0.1:${proxy.guarded}`;
  const as = (user: string, password: string) => ["--proxy-user", `${user}:${password}`];
  const named = { principal: USER, method: "password" };
  const asserted = { principal: USER, method: "asserted" };

  const cases: [what: string, options: string[], host: string, conversation: Conversation][] = [
    ["SOCKS4", ["--socks4", open], "127.0.0.1", {}],
    ["SOCKS4, a name that curl resolves", ["-4", "--socks4", open], "localhost", {}],
    ["SOCKS4a, a name that the proxy resolves", ["--socks4a", open], "localhost", { asks: "localhost" }],
    ["SOCKS4 with a user", ["--socks4", guarded, ...as(USER, "")], "127.0.0.1", asserted],
    [
      "SOCKS4a with a user in the URL",
      ["-x", `socks4a://${USER}@${guarded}`],
      "localhost",
      { ...asserted, asks: "localhost" },
    ],
    ["SOCKS5", ["--socks5", open], "127.0.0.1", {}],
    ["SOCKS5, a name that curl resolves", ["-4", "--socks5", open], "localhost", {}],
    [
      "SOCKS5, a name that the proxy resolves",
      ["--socks5-hostname", open],
      "localhost",
      { asks: "localhost" },
    ],
    ["SOCKS5 to an IPv6 address", ["--socks5", open], "[::1]", { at: "::1" }],
    ["SOCKS5 to an IPv6 address through another one", ["--socks5", openIpv6], "[::1]", { at: "::1" }],
    ["SOCKS5 with a password", ["--socks5", guarded, ...as(USER, PASSWORD)], "127.0.0.1", named],
    [
      "SOCKS5 with a password in the URL",
      ["-x", `socks5h://${USER}:${PASSWORD}@${guarded}`],
      "localhost",
      { ...named, asks: "localhost" },
    ],
    [
      "SOCKS5 with a password that nobody asks for",
      ["--socks5", open, ...as(USER, PASSWORD)],
      "127.0.0.1",
      {},
    ],
  ];
  for (const [what, options, host, conversation] of cases) {
    await t.test(what, async () => {
      const origin = await proxy.origin((socket) => {
        socket.once("data", () => {
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\nConnection: close\r\n\r\n`);
          socket.end(BODY);
        });
      }, conversation.at);
      const [command, ...args] = curl(origin.port, host, ["-o", output, ...options]);
      await run(command, args);
      const { stdout } = await run("sha256sum", [output]);
      assert.equal(stdout.split(" ")[0], createHash("sha256").update(BODY).digest("hex"));
      const record = await proxy.assertServed(origin.port, conversation);
      assert.ok(Number(record.bytesDown) > BODY.length && Number(record.bytesUp) > 0);
    });
  }

  const refusals: [what: string, code: string, options: string[]][] = [
    ["SOCKS5 with a wrong password", "BAD_PASSWORD", ["--socks5", guarded, ...as(USER, "wrong")]],
    ["SOCKS5 with a wrong user", "BAD_PASSWORD", ["--socks5", guarded, ...as("mallory", PASSWORD)]],
    ["SOCKS5 with an empty password", "BAD_PASSWORD", ["--socks5", guarded, ...as(USER, "")]],
    ["SOCKS5 without a password", "NO_ACCEPTABLE_METHOD", ["--socks5", guarded]],
    ["SOCKS4 with another user", "USER_NOT_ALLOWED", ["--socks4", guarded, ...as("mallory", "")]],
    ["SOCKS4 without a user", "RULE_DENIED", ["--socks4", guarded]],
  ];
  for (const [what, code, options] of refusals) {
    await t.test(what, async () => {
      const { principal } = await proxy.assertRefused(code, curl(1, "127.0.0.1", options));
      assert.equal(principal, null);
    });
  }
});
