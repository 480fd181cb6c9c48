// RFC 1928 §3: version identifier / method selection message, and the METHOD selection message.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeMethod,
  encodeMethods,
  takeMethod,
  takeMethods,
} from "../../../src/protocol/method-selection.js";
import { ReceiveBuffer } from "../../../src/protocol/receive-buffer.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

test("the methods a client lists", () => {
  const three = hex(`
    05    # VER
    03    # NMETHODS
    00    # NO AUTHENTICATION REQUIRED
    01    # GSSAPI
    02    # USERNAME/PASSWORD
  `);
  assert.deepEqual(takeEveryWay(takeMethods, three), [0, 1, 2]);
  assert.deepEqual(encodeMethods([0, 1, 2]), three);
});

test("255 methods, the most there can be", () => {
  const all = Array.from({ length: 255 }, (_, index) => index);
  const message = Buffer.concat([hex("05 ff"), Buffer.from(all)]);
  assert.deepEqual(takeEveryWay(takeMethods, message), all);
  assert.deepEqual(encodeMethods(all), message);
});

test("the method a server selected", () => {
  const gssapi = hex(`
    05    # VER
    01    # METHOD: GSSAPI
  `);
  assert.equal(takeEveryWay(takeMethod, gssapi), 1);
  assert.deepEqual(encodeMethod(1), gssapi);
  const none = hex(`
    05    # VER
    ff    # METHOD: NO ACCEPTABLE METHODS
  `);
  assert.equal(takeEveryWay(takeMethod, none), 0xff);
});

test("a list of no methods is told by its second octet", () => {
  failsEveryWay(takeMethods, hex("05 00"), 2, { code: "NO_METHODS" });
});

test("another version is told by its first octet, with a guess what it is", () => {
  const table: [octet: string, guess: RegExp][] = [
    ["04", /SOCKS4/],
    ["16", /TLS/],
    ["47", /HTTP/], // GET
    ["43", /HTTP/], // CONNECT
    ["00", /expected 0x05/],
    ["5b", /expected 0x05/],
    ["ff", /0xff/],
  ];
  for (const [octet, guess] of table) {
    for (const take of [takeMethods, takeMethod]) {
      failsEveryWay(take, hex(`${octet} 01 00`), 1, { code: "BAD_VERSION" });
      const received = new ReceiveBuffer(8);
      received.append(hex(octet));
      assert.throws(() => take(received), guess);
    }
  }
});
