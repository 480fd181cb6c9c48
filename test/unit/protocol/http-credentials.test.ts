// RFC 9110 §11.7.2: Proxy-Authorization, with Basic (RFC 7617) and Negotiate (RFC 4559).
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PeerError } from "../../../src/errors.js";
import { parseProxyAuthorization } from "../../../src/protocol/http-credentials.js";

const basic = (octets: string | Buffer) => `Basic ${Buffer.from(octets).toString("base64")}`;

test("Basic", () => {
  // RFC 7617 §2, §2.1.
  assert.deepEqual(parseProxyAuthorization("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), {
    scheme: "basic",
    username: "Aladdin",
    password: Buffer.from("open sesame"),
  });
  assert.deepEqual(parseProxyAuthorization("  bASIC   dGVzdDoxMjPCow== "), {
    scheme: "basic",
    username: "test",
    password: Buffer.from("123£"),
  });
  const colons = parseProxyAuthorization(basic("a:b:c"));
  assert.deepEqual(colons, { scheme: "basic", username: "a", password: Buffer.from("b:c") });
  assert.deepEqual(parseProxyAuthorization(basic("a:")), { ...colons, password: Buffer.alloc(0) });
});

test("Basic that is none", () => {
  for (const [value, code] of [
    ["Basic", "BAD_CREDENTIALS"],
    ["Basic ", "BAD_CREDENTIALS"],
    ["Basic a b", "BAD_CREDENTIALS"],
    ["Basic QWxhZGRpbjpvcGVu!", "BAD_CREDENTIALS"],
    ["Basic QWxhZGRpbjpvcGVu, Negotiate", "BAD_CREDENTIALS"],
    [basic("alice"), "BAD_CREDENTIALS"],
    [basic(":b"), "NO_USERNAME"],
    [basic("a\nb:c"), "BAD_USERNAME"],
    [basic(Buffer.from("ff3a62", "hex")), "BAD_USERNAME"],
    [basic(`${"a".repeat(256)}:b`), "BAD_USERNAME"],
    [basic(`a:${"b".repeat(256)}`), "BAD_USERNAME"],
  ] as const)
    assert.throws(() => parseProxyAuthorization(value), { code }, value);
});

test("Negotiate", () => {
  const token = Buffer.from("6082", "hex");
  assert.deepEqual(parseProxyAuthorization("negotiate YII="), { scheme: "negotiate", token });
  const most = Buffer.alloc(65535, 1);
  assert.deepEqual(parseProxyAuthorization(`Negotiate ${most.toString("base64")}`), {
    scheme: "negotiate",
    token: most,
  });
  const more = `Negotiate ${Buffer.alloc(65536).toString("base64")}`;
  assert.throws(() => parseProxyAuthorization(more), { code: "TOKEN_TOO_LONG" });
  assert.throws(() => parseProxyAuthorization("Negotiate"), { code: "BAD_CREDENTIALS" });
});

test("other schemes are told by their name", () => {
  assert.deepEqual(parseProxyAuthorization("Digest username=x"), { scheme: "other", name: "Digest" });
  assert.deepEqual(parseProxyAuthorization(""), { scheme: "other", name: "" });
});

test("any text is taken or refused", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("", "Basic ", "Negotiate "),
      fc.string({ unit: "binary" }),
      (scheme, rest) => {
        try {
          parseProxyAuthorization(scheme + rest);
        } catch (error) {
          if (!(error instanceof PeerError)) throw error;
        }
      },
    ),
  );
});
