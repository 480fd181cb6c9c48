// RFC 1961 §3.4, §3.8, §4.3, §5: ver, mtyp, len, token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../src/errors.js";
import {
  ABORT,
  encodeGssapiMessage,
  takeGssapiMessage,
  writeGssapiHeader,
} from "../../../src/protocol/gssapi-message.js";
import type { ReceiveBuffer } from "../../../src/protocol/receive-buffer.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

const taking =
  (...expected: number[]) =>
  (received: ReceiveBuffer) =>
    takeGssapiMessage(received, expected);

test("each message type", () => {
  for (const mtyp of ["01", "02", "03"]) {
    const message = hex(`
      01          # ver
      ${mtyp}     # mtyp: authentication, protection-level negotiation, user data
      00 03       # len: of the token alone, big-endian
      0a 0b 0c    # token
    `);
    const expected = { mtyp: Number(mtyp), token: hex("0a 0b 0c") };
    assert.deepEqual(takeEveryWay(taking(1, 2, 3), message), expected);
    assert.deepEqual(encodeGssapiMessage(expected.mtyp, expected.token), message);
  }
});

test("len is big-endian: 256 octets are 01 00", () => {
  const token = Buffer.alloc(0x0100, 0xaa);
  const message = Buffer.concat([hex("01 01 01 00"), token]);
  assert.deepEqual(takeEveryWay(taking(1), message), { mtyp: 1, token });
  assert.deepEqual(encodeGssapiMessage(1, token), message);
});

test("an empty token (RFC 1961 §3.6)", () => {
  const empty = hex(`
    01       # ver
    01       # mtyp
    00 00    # len
  `);
  assert.deepEqual(takeEveryWay(taking(1), empty), { mtyp: 1, token: Buffer.alloc(0) });
  assert.deepEqual(encodeGssapiMessage(1, Buffer.alloc(0)), empty);
});

test("the longest token, 2^16 - 1 octets; one more has no len", () => {
  const token = Buffer.alloc(0xffff, 0x5a);
  const message = Buffer.concat([hex("01 01 ff ff"), token]);
  assert.deepEqual(takeEveryWay(taking(1), message), { mtyp: 1, token });
  assert.deepEqual(encodeGssapiMessage(1, token), message);
  const tooLong = (error: unknown) => error instanceof UsageError && error.code === "TOKEN_TOO_LONG";
  assert.throws(() => encodeGssapiMessage(1, Buffer.alloc(0x10000)), tooLong);
  const untouched = Buffer.alloc(4);
  assert.throws(() => writeGssapiHeader(untouched, 0, 3, 0x10000), tooLong);
  assert.deepEqual(untouched, Buffer.alloc(4));
});

test("an abort has two octets and is told by the second, whatever is expected (§3.8)", () => {
  assert.deepEqual(ABORT, hex("01 ff"));
  for (const expected of [[1], [2], [1, 2], [3]]) {
    failsEveryWay(taking(...expected), ABORT, 2, { code: "ABORTED" });
  }
});

test("another ver is told by the first octet, another mtyp by the second", () => {
  for (const ver of ["00", "02", "05", "ff"]) {
    failsEveryWay(taking(1), hex(`${ver} 01 00 00`), 1, { code: "BAD_VERSION" });
  }
  for (const mtyp of ["00", "02", "03", "04", "fe"]) {
    failsEveryWay(taking(1), hex(`01 ${mtyp} 00 00`), 2, { code: "UNEXPECTED_MESSAGE" });
  }
});

test("a taken token is in memory of its own", () => {
  const message = encodeGssapiMessage(1, Buffer.from("token"));
  const { token } = takeEveryWay(taking(1), message);
  message.fill(0);
  assert.equal(token.toString(), "token");
});
