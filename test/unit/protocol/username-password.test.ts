// RFC 1929 §2: the username and password, and the server's status.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UsageError } from "../../../src/errors.js";
import { ReceiveBuffer } from "../../../src/protocol/receive-buffer.js";
import {
  encodeCredentials,
  encodeStatus,
  takeCredentials,
  takeStatus,
} from "../../../src/protocol/username-password.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

test("a username and a password", () => {
  const message = hex(`
    01                   # VER
    05                   # ULEN
    61 6c 69 63 65       # UNAME: alice
    06                   # PLEN
    73 33 63 72 00 ff    # PASSWD: any octets
  `);
  const credentials = { username: "alice", password: hex("73 33 63 72 00 ff") };
  assert.deepEqual(takeEveryWay(takeCredentials, message), credentials);
  assert.deepEqual(encodeCredentials(credentials), message);
});

test("one octet each, the least, and 255 each, the most", () => {
  const least = { username: "a", password: Buffer.from("b") };
  assert.deepEqual(takeEveryWay(takeCredentials, hex("01 01 61 01 62")), least);
  assert.deepEqual(encodeCredentials(least), hex("01 01 61 01 62"));
  const most = { username: "é".repeat(127).concat("x"), password: Buffer.alloc(255, 0xa5) };
  const message = Buffer.concat([hex("01 ff"), Buffer.from(most.username), hex("ff"), most.password]);
  assert.deepEqual(takeEveryWay(takeCredentials, message), most);
  assert.deepEqual(encodeCredentials(most), message);
});

test("PLEN 0, as curl sends it where no password was given, is an empty password", () => {
  const message = hex(`
    01                   # VER
    05 61 6c 69 63 65    # ULEN, UNAME
    00                   # PLEN
  `);
  const credentials = { username: "alice", password: Buffer.alloc(0) };
  assert.deepEqual(takeEveryWay(takeCredentials, message), credentials);
  assert.deepEqual(encodeCredentials(credentials), message);
});

test("ULEN 0 is told by its octet", () => {
  failsEveryWay(takeCredentials, hex("01 00 01 62"), 2, { code: "NO_USERNAME" });
});

test("another version is told by its first octet", () => {
  for (const octet of ["00", "02", "05", "ff"]) {
    failsEveryWay(takeCredentials, hex(`${octet} 01 61 01 62`), 1, { code: "BAD_VERSION" });
    failsEveryWay(takeStatus, hex(`${octet} 00`), 1, { code: "BAD_VERSION" });
  }
});

test("a username that would be misread in a log is refused", () => {
  const table: [what: string, name: string][] = [
    ["NUL", "61 00 62"],
    ["a line break", "61 0a 62"],
    ["an escape sequence", "1b 5b 32 4a"],
    ["DEL", "7f"],
    ["C1: a control sequence in one character", "c2 9b"],
    ["a line separator", "e2 80 a8"],
    ["text from right to left", "e2 80 ae 61"],
    ["an isolate", "e2 81 a6 61"],
    ["a stray continuation octet", "80"],
    ["a cut sequence", "61 c3"],
    ["an overlong form", "c0 af"],
    ["a surrogate", "ed a0 80"],
    ["Latin-1", "fc 6d"],
  ];
  for (const [what, digits] of table) {
    const name = hex(digits);
    const message = Buffer.concat([hex("01"), Buffer.of(name.length), name, hex("02 70 77")]);
    assert.doesNotThrow(
      () => failsEveryWay(takeCredentials, message, message.length, { code: "BAD_USERNAME" }),
      what,
    );
  }
});

test("a byte order mark is part of the name, and makes it another one", () => {
  const message = hex("01 04 ef bb bf 61 01 62");
  const taken = takeEveryWay(takeCredentials, message);
  assert.equal(taken.username, "\ufeffa");
  assert.deepEqual(encodeCredentials(taken), message);
});

test("what cannot be sent is our caller's fault, and the message does not hold the password", () => {
  const secret = Buffer.from("s3cret".repeat(50));
  for (const [username, password] of [
    ["", Buffer.from("x")],
    ["x".repeat(256), Buffer.from("x")],
    ["a\nb", Buffer.from("x")],
    ["a\ud800", Buffer.from("x")],
    ["alice", secret],
  ] as const) {
    assert.throws(
      () => encodeCredentials({ username, password }),
      (error) => error instanceof UsageError && !error.message.includes("s3cret"),
    );
  }
});

test("the status", () => {
  assert.equal(takeEveryWay(takeStatus, hex("01 00")), 0);
  assert.equal(takeEveryWay(takeStatus, hex("01 01")), 1);
  assert.equal(takeEveryWay(takeStatus, hex("01 ff")), 0xff);
  assert.deepEqual(encodeStatus(0), hex("01 00"));
  assert.deepEqual(encodeStatus(1), hex("01 01"));
});

test("what is encoded is taken again, and what is taken is encoded the same", () => {
  const username = fc
    .string({ unit: "binary", minLength: 1, maxLength: 63 })
    .filter((text) => /^[^\p{Cc}\u2028-\u202e\u2066-\u2069]+$/u.test(text) && Buffer.byteLength(text) <= 255);
  const password = fc.uint8Array({ maxLength: 255 }).map((octets) => Buffer.from(octets));
  fc.assert(
    fc.property(username, password, (username, password) => {
      const received = new ReceiveBuffer(1024);
      received.append(encodeCredentials({ username, password }));
      assert.deepEqual(takeCredentials(received), { username, password });
      assert.equal(received.length, 0);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (octets) => {
      const received = new ReceiveBuffer(1024);
      received.append(octets);
      try {
        const taken = takeCredentials(received);
        if (taken !== null)
          assert.deepEqual(
            encodeCredentials(taken),
            Buffer.from(octets.subarray(0, octets.length - received.length)),
          );
      } catch (error) {
        assert.match((error as { code: string }).code, /^(BAD_VERSION|NO_USERNAME|BAD_USERNAME)$/);
      }
    }),
  );
});
