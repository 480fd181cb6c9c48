// RFC 9112 §3.2: the targets of requests to a proxy.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PeerError } from "../../../src/errors.js";
import { formatEndpoint } from "../../../src/protocol/address.js";
import { parseAbsoluteForm, parseAuthorityForm } from "../../../src/protocol/http-target.js";

test("authority-form", () => {
  for (const [target, dst] of [
    ["example.test:443", "example.test:443"],
    ["192.0.2.1:1", "192.0.2.1:1"],
    ["[2001:DB8::1]:65535", "[2001:db8::1]:65535"],
    ["[::ffff:192.0.2.1]:443", "192.0.2.1:443"],
  ] as const)
    assert.equal(formatEndpoint(parseAuthorityForm(target)), dst);
  for (const target of [
    ...[
      "",
      ":443",
      "example.test",
      "example.test:",
      "example.test:0",
      "example.test:65536",
      "example.test:+1",
    ],
    ...["user@example.test:443", "2001:db8::1:443", "[example.test]:443", "[2001:db8::1", "[::1%25eth0]:443"],
    ...["http://example.test:443", "example.test:443/", "a b:443", "ex\u00e4mple.test:443", "a%41:443"],
    `${"a".repeat(256)}:443`,
  ])
    assert.throws(() => parseAuthorityForm(target), PeerError, target);
});

test("absolute-form", () => {
  for (const [target, dst, path, host] of [
    ["http://example.test", "example.test:80", "/", "example.test"],
    ["http://example.test:80/", "example.test:80", "/", "example.test"],
    ["HTTP://example.test:8080/a/../b?c=/?d", "example.test:8080", "/a/../b?c=/?d", "example.test:8080"],
    ["http://example.test?q", "example.test:80", "/?q", "example.test"],
    ["http://[2001:db8::1]/", "[2001:db8::1]:80", "/", "[2001:db8::1]"],
    ["http://[2001:db8::1]:81/", "[2001:db8::1]:81", "/", "[2001:db8::1]:81"],
    ["http://192.0.2.1:/%2e%00", "192.0.2.1:80", "/%2e%00", "192.0.2.1"],
  ] as const) {
    const parsed = parseAbsoluteForm("GET", target);
    assert.deepEqual([formatEndpoint(parsed.dst), parsed.path, parsed.host], [dst, path, host]);
  }
  for (const target of [
    ...["/", "*", "example.test/", "//example.test/", "http:/example.test/", "http:example.test"],
    ...["http://", "http:///a", "http://user:pw@example.test/", "http://example.test/#a", "http://a:0/"],
    ...["https://example.test/", "ftp://example.test/", "http://example.test\\@b.test/", "http://a:b:80/"],
  ])
    assert.throws(() => parseAbsoluteForm("GET", target), { code: /^BAD_(?:TARGET|DOMAIN_NAME)$/ }, target);
});

test("OPTIONS of the origin as a whole", () => {
  assert.equal(parseAbsoluteForm("OPTIONS", "http://example.test").path, "*");
  assert.equal(parseAbsoluteForm("OPTIONS", "http://example.test/").path, "/");
});

test("any text is taken or refused, and what is taken names one host", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      for (const parse of [
        parseAuthorityForm,
        (each: string) => parseAbsoluteForm("GET", `http://${each}`),
      ]) {
        try {
          const parsed = parse(text);
          const { host, port } = "dst" in parsed ? parsed.dst : parsed;
          assert.ok(port >= 1 && port <= 65535);
          assert.match(host.kind === "domain" ? host.name : host.address, /^[A-Za-z0-9._:-]+$/);
        } catch (error) {
          if (!(error instanceof PeerError)) throw error;
        }
      }
    }),
  );
});
