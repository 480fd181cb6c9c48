/**
 * proxychains4 in front of a program that knows no proxy (nc): SOCKS4 and 5, a name that the proxy resolves, users and
 * passwords, right and wrong.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { type Conversation, PASSWORD, PlainProxy, USER } from "../support/plain-proxy.js";

/** proxychains takes `localhost` from /etc/hosts, but only in small letters. Case is nothing to a name. */
const NAME = "LOCALHOST";

test("proxychains4 through the proxy", async (t) => {
  const proxy = await PlainProxy.start(t);
  let configurations = 0;

  /** @param entry of the configuration: type, address, port, user, password */
  async function proxychains(entry: string) {
    configurations += 1;
    const file = path.join(proxy.realm.dir, `proxychains-${configurations}.conf`);
    await writeFile(file, ["strict_chain", "proxy_dns", "[ProxyList]", entry, ""].join("\n"));
    return (host: string, port: number) =>
      ["proxychains4", "-q", "-f", file, "nc", "-N", "-w", "20", host, String(port)] as const;
  }
  const open4 = `socks4 127.0.0.1 ${proxy.open}`;
  const open5 = `socks5 127.0.0.1 ${proxy.open}`;
  const guarded4 = `socks4 127.0.0.1 ${proxy.guarded}`;
  const guarded5 = `socks5 127.0.0.1 ${proxy.guarded}`;

  const cases: [what: string, entry: string, host: string, conversation: Conversation][] = [
    ["SOCKS4", open4, "127.0.0.1", {}],
    ["SOCKS4a, a name that the proxy resolves", open4, NAME, { asks: NAME }],
    ["SOCKS4 with a user", `${guarded4} ${USER}`, "127.0.0.1", { principal: USER, method: "asserted" }],
    ["SOCKS5", open5, "127.0.0.1", {}],
    ["SOCKS5, a name that the proxy resolves", open5, NAME, { asks: NAME }],
    ["SOCKS5 to an IPv6 address", open5, "::1", { at: "::1" }],
    [
      "SOCKS5 with a password",
      `${guarded5} ${USER} ${PASSWORD}`,
      "127.0.0.1",
      { principal: USER, method: "password" },
    ],
  ];
  for (const [what, entry, host, conversation] of cases) {
    await t.test(what, async () => {
      const chained = await proxychains(entry);
      await proxy.assertEchoes((port) => chained(host, port), conversation);
    });
  }

  await t.test("SOCKS5 with a wrong password", async () => {
    const chained = await proxychains(`${guarded5} ${USER} wrong`);
    const record = await proxy.assertRefused("BAD_PASSWORD", chained("127.0.0.1", 1));
    assert.equal(record.principal, null);
  });
  await t.test("SOCKS4 with another user", async () => {
    const chained = await proxychains(`${guarded4} mallory`);
    await proxy.assertRefused("USER_NOT_ALLOWED", chained("127.0.0.1", 1));
  });
});
