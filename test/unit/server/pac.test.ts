/**
 * The auto-configuration, run: by JavaScript's own engine without a single function of a browser's, so that it looks nothing
 * up; and by pacparser's `pactester`, where there is one. Both decide as {@link goesDirect} does.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { parseNoProxy } from "../../../src/policy/no-proxy.js";
import { type PacProxy, proxyAutoConfiguration } from "../../../src/server/pac.js";
import { scratch } from "../../support/identd.js";
import { runToEnd } from "../../support/processes.js";
import { LISTS } from "../policy/no-proxy-cases.js";

const PROXIES: PacProxy[] = [
  { kind: "PROXY", address: "127.0.0.1:1081" },
  { kind: "SOCKS5", address: "[::1]:1081" },
];
const THROUGH = "PROXY 127.0.0.1:1081; SOCKS5 [::1]:1081";

function evaluate(pac: string, url: string, host: string): unknown {
  const context = createContext({ url, host });
  return runInContext(`${pac}\nFindProxyForURL(url, host)`, context, { timeout: 1000 });
}

for (const { list, asked } of LISTS) {
  test(`no_proxy=${list}`, () => {
    const pac = proxyAutoConfiguration({ direct: parseNoProxy(list), proxies: PROXIES });
    for (const { host, destination, direct } of asked) {
      const expected = direct ? "DIRECT" : THROUGH;
      const url = `http://user:secret@${destination}/path?a=http://example.test:9/`;
      assert.equal(evaluate(pac, url, host), expected, destination);
      // Some engines leave the brackets out.
      if (host.startsWith("[")) assert.equal(evaluate(pac, url, host.slice(1, -1)), expected, destination);
    }
  });
}

test("ports that a URL leaves out", () => {
  const pac = proxyAutoConfiguration({ direct: parseNoProxy("a.test:443,b.test:80"), proxies: PROXIES });
  for (const [url, host, expected] of [
    ["https://a.test/", "a.test", "DIRECT"],
    ["wss://a.test", "a.test", "DIRECT"],
    ["http://a.test/:443", "a.test", THROUGH],
    ["http://b.test?:443", "b.test", "DIRECT"],
    ["https://b.test", "b.test", THROUGH],
    ["gopher://b.test", "b.test", THROUGH],
    ["nonsense", "b.test", THROUGH],
  ])
    assert.equal(evaluate(pac, url ?? "", host ?? ""), expected, url);
});

test("hosts that are no addresses though they look like some", () => {
  const pac = proxyAutoConfiguration({ direct: parseNoProxy("0.0.0.0/0,::/0"), proxies: PROXIES });
  for (const host of [
    "256.1.1.1",
    "1.2.3",
    ":::",
    "1::2::3",
    "g::1",
    "1:2:3:4:5:6:7:8:9",
    "::1.2.3.256",
    "a:",
  ])
    assert.equal(evaluate(pac, `http://${host}/`, host), THROUGH, host);
});

test("pactester says the same", async (t) => {
  const file = path.join(await scratch(t), "proxy.pac");
  const direct = parseNoProxy(".example.test,10.0.0.0/8,2001:db8::/32,one.test:8080");
  writeFileSync(file, proxyAutoConfiguration({ direct, proxies: PROXIES }));
  const probe = await runToEnd("sh", ["-c", "command -v pactester"]);
  if (probe.code !== 0) return t.skip("there is no pactester here (Debian: libpacparser1's pactester)");
  for (const [url, expected] of [
    ["http://a.example.test/", "DIRECT"],
    ["http://example.test/", THROUGH],
    ["http://10.9.8.7/", "DIRECT"],
    ["http://11.9.8.7/", THROUGH],
    ["http://one.test:8080/", "DIRECT"],
    ["https://one.test/", THROUGH],
  ] as const) {
    const { stdout } = await runToEnd("pactester", ["-p", file, "-u", url]);
    assert.equal(stdout.trim(), expected, url);
  }
});
