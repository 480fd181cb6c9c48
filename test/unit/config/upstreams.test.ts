/** What an upstream's keys say of each other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { parseConfig } from "../../../src/config/load.js";

function problemsOf(upstream: object): string {
  const written = { listeners: [{ address: "127.0.0.1:1080" }], upstreams: { next: upstream } };
  try {
    parseConfig(stringify(written), "file");
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

test("a password goes in clear to loopback alone, unless it is said", () => {
  const password = { method: "password", user: { name: "carol", file: "/secret" } };
  for (const proxies of [["127.0.0.1:1"], ["localhost:1", "[::1]:1"]])
    assert.equal(problemsOf({ proxies, ...password }), "");
  for (const where of [
    { proxies: ["proxy.example.test:1"] },
    { proxies: ["localhost:1", "192.0.2.1:1"] },
    { proxies: ["127.example.test:1"] },
    { srv: "example.test" },
  ])
    for (const protocol of ["socks5", "http"]) {
      const upstream = { ...where, ...password, protocol };
      assert.match(problemsOf(upstream), /next\.method: the password would cross the network in clear/);
      assert.equal(problemsOf({ ...upstream, tls: {} }), "");
      assert.equal(problemsOf({ ...upstream, sendClearTextPassword: true }), "");
    }
});

test("where proxies come from", () => {
  assert.match(problemsOf({}), /expected proxies, srv or both/);
  assert.equal(problemsOf({ srv: "Example.test.", trusted: ["proxy.example.test", "*.other.test"] }), "");
  assert.match(
    problemsOf({ proxies: ["a:1"], trusted: ["a"] }),
    /next\.trusted: it is about what srv finds: add srv/,
  );
  for (const srv of ["", "a..b", "*.example.test", "_a b", "-".repeat(64)])
    assert.match(problemsOf({ srv }), /next\.srv: expected a domain/, srv);
  for (const trusted of ["*", "*.", "a.*", "bänk.test", "a:1", "*.*.test"])
    assert.match(
      problemsOf({ srv: "a.test", trusted: [trusted] }),
      /next\.trusted\[0\]: expected a host's name/,
    );
  assert.match(
    problemsOf({ srv: "a.test", trusted: [] }),
    /the list is empty; leave it out for srv's own domain/,
  );
});
