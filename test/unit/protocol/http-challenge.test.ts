// RFC 9110 §11.6.1, §11.7.1: what a proxy wants to be shown.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseChallenges } from "../../../src/protocol/http-challenge.js";

test("schemes and tokens, of one line or several", () => {
  const table: [lines: string[], found: string[]][] = [
    [[], []],
    [[""], []],
    [["Negotiate"], ["negotiate"]],
    [["NEGOTIATE oYG1MIGy+/=="], ["negotiate oYG1MIGy+/=="]],
    [['Basic realm="a proxy, or \\"two\\", Negotiate abc"'], ["basic"]],
    [['Basic realm="x", charset="UTF-8", Negotiate YII=, NTLM'], ["basic", "negotiate YII=", "ntlm"]],
    [
      ["Basic realm = x", "Negotiate\tYII="],
      ["basic", "negotiate YII="],
    ],
    [["Digest nonce=abc, qop=auth"], ["digest"]],
    [["Negotiate not base64"], ["negotiate"]],
    [['Basic realm="never ends, Negotiate abc'], ["basic"]],
    [[", , Negotiate ,"], ["negotiate"]],
    [["@ bad", "(x) y"], []],
  ];
  for (const [lines, found] of table) {
    const text = parseChallenges(lines).map(({ scheme, token }) => `${scheme} ${token}`.trim());
    assert.deepEqual(text, found, lines.join(" | "));
  }
});

test("whatever comes, schemes are tokens in lower case, and tokens can be read as base64", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary-ascii", maxLength: 200 })), (lines) => {
      for (const { scheme, token } of parseChallenges(lines)) {
        assert.match(scheme, /^[!#$%&'*+.^_`|~0-9a-z-]+$/);
        assert.match(token, /^[A-Za-z0-9._~+/-]*=*$/);
      }
    }),
  );
});
