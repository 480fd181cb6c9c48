// RFC 9110 §7.6: what a proxy takes out of a message and puts in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { endToEnd, timesThroughUs, valuesOf, via } from "../../../src/protocol/http-fields.js";

test("fields of this connection are taken out, those that Connection names too", () => {
  const fields = [
    ...["Host", "a", "Connection", "close, X-One", "x-one", "1", "X-TWO", "2", "connection", ",x-two ,"],
    ...[
      "Keep-Alive",
      "5",
      "TE",
      "trailers",
      "Trailer",
      "X",
      "Transfer-Encoding",
      "chunked",
      "Upgrade",
      "h2c",
    ],
    ...["Proxy-Authorization", "Basic x", "Proxy-Connection", "close", "proxy-anything", "x"],
    ...["Content-Length", "3", "Set-Cookie", "a", "Set-Cookie", "b", "Proxied", "y"],
  ];
  assert.deepEqual(endToEnd(fields), ["Host", "a", "Set-Cookie", "a", "Set-Cookie", "b", "Proxied", "y"]);
  assert.deepEqual(endToEnd(fields, ["host"]), ["Set-Cookie", "a", "Set-Cookie", "b", "Proxied", "y"]);
});

test("all values of a field, whatever its case", () => {
  assert.deepEqual(valuesOf(["Via", "1", "host", "via", "VIA", "2"], "via"), ["1", "2"]);
});

test("our own marks in Via are counted, in all of its lines", () => {
  assert.deepEqual(via("1.1"), ["Via", "1.1 gssocks"]);
  const fields = [
    "Via",
    "1.0 fred, 1.1 gssocks",
    "via",
    "1.1 GSSOCKS (comment), HTTP/1.1 gssocks,",
    "X",
    "1.1 gssocks",
  ];
  assert.equal(timesThroughUs(fields), 3);
  assert.equal(timesThroughUs(["Via", "1.1 gssocks.example.test, gssocks"]), 0);
});
