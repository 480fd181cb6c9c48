/** Which hosts that DNS names may be sent a token. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hostName, TrustedHosts } from "../../../src/client/trusted-hosts.js";
import { UsageError } from "../../../src/errors.js";

test("host names in one form; what is none", () => {
  assert.equal(hostName("Proxy1.EXAMPLE.test."), "proxy1.example.test");
  for (const text of [
    "",
    ".",
    "..",
    "a..b",
    "a b",
    "a\\046b.test",
    "a/b",
    "é.test",
    "\u212ab.test",
    "x".repeat(64),
    "a@b",
  ])
    assert.equal(hostName(text), null, text);
  assert.equal(hostName(`${"a.".repeat(126)}aa`), null, "more than 253 octets");
});

test("hosts by name, and all below a domain", () => {
  const trusted = new TrustedHosts(["*.example.test", "Proxy.Other.test"]);
  for (const host of ["a.example.test", "a.b.example.test", "proxy.other.test"])
    assert.ok(trusted.includes(host), host);
  for (const host of [
    "example.test",
    "badexample.test",
    "a.example.test.evil.test",
    "x.proxy.other.test",
    "other.test",
  ])
    assert.ok(!trusted.includes(host), host);
  assert.ok(!new TrustedHosts([]).includes("a.example.test"));
});

test("what is no host and no domain", () => {
  for (const pattern of ["*", "*.", "", "a.*.test", "192.0.2.1/24", "*example.test"])
    assert.throws(() => new TrustedHosts([pattern]), UsageError, pattern);
});
