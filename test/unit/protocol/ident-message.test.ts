// RFC 1413 §4 to §6: the query and the response, and the query with addresses of our own Unix socket.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { UsageError } from "../../../src/errors.js";
import { encodeIdentLookup, takeIdentLookup } from "../../../src/protocol/ident-lookup.js";
import {
  encodeIdentQuery,
  encodeIdentResponse,
  type IdentErrorType,
  type IdentResponse,
  isPort,
  takeIdentQuery,
  takeIdentResponse,
} from "../../../src/protocol/ident-message.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

const PAIR = { portOnServer: 6193, portOnClient: 23 };

function line(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function userIdOf(text: string): string {
  const response = takeEveryWay(takeIdentResponse, line(text));
  assert.ok(response.type === "USERID");
  return response.userId;
}

/** Told by its last octet, the end of the line. */
function fails(take: Parameters<typeof failsEveryWay>[0], text: string | Buffer, code: string): void {
  const message = typeof text === "string" ? line(text) : text;
  failsEveryWay(take, message, message.length, { code });
}

test("the RFC's query", () => {
  const query = hex(`
    36 31 39 31 2c 20    # "6191, "
    32 33                # "23"
    0d 0a                # EOL
  `);
  assert.deepEqual(takeEveryWay(takeIdentQuery, query), { portOnServer: 6191, portOnClient: 23 });
  assert.deepEqual(
    encodeIdentQuery({ portOnServer: 6191, portOnClient: 23 }),
    hex("36 31 39 31 2c 32 33 0d 0a"),
  );
});

test("white space around the tokens of a query, a bare LF, and any five digits are taken", () => {
  for (const text of ["6193,23\r\n", "6193,23\n", " \t6193 , \t 23\t\r\n", "06193,00023\r\n"])
    assert.deepEqual(takeEveryWay(takeIdentQuery, line(text)), PAIR, JSON.stringify(text));
  const pair = takeEveryWay(takeIdentQuery, line("0,99999\n"));
  assert.deepEqual([isPort(pair.portOnServer), isPort(pair.portOnClient)], [false, false]);
  assert.deepEqual([isPort(1), isPort(65535), isPort(65536), isPort(1.5)], [true, true, false, false]);
});

test("what is no query", () => {
  for (const text of [
    "",
    "\r",
    "6193",
    "6193,",
    ",23",
    "-1,23",
    "1.5,23",
    "0x17,23",
    "6 193,23",
    "619300,23",
    "1,2,3",
    "1,2\r\r",
  ])
    fails(takeIdentQuery, `${text}\n`, "BAD_IDENT_QUERY");
  fails(takeIdentQuery, "GET / HTTP/1.1\r\n", "BAD_IDENT_QUERY");
});

test("a line ends within 1000 octets, its end included", () => {
  const longest = Buffer.concat([Buffer.alloc(991, " "), line("6193,23\r\n")]);
  assert.equal(longest.length, 1000);
  assert.deepEqual(takeEveryWay(takeIdentQuery, longest), PAIR);
  const endless = Buffer.alloc(5000, " ");
  failsEveryWay(takeIdentQuery, endless, 1000, { code: "IDENT_LINE_TOO_LONG" });
  failsEveryWay(takeIdentResponse, endless, 1000, { code: "IDENT_LINE_TOO_LONG" });
  failsEveryWay(takeIdentLookup, endless, 1000, { code: "IDENT_LINE_TOO_LONG" });
});

test("the RFC's responses: a space behind the last colon belongs to the user id", () => {
  const user = hex(`
    36 31 39 33 2c 20 32 33 20 3a 20    # "6193, 23 : "
    55 53 45 52 49 44 20 3a 20          # "USERID : "
    55 4e 49 58 20 3a                   # "UNIX :"
    20 73 74 6a 6f 68 6e 73             # " stjohns"
    0d 0a                               # EOL
  `);
  assert.deepEqual(takeEveryWay(takeIdentResponse, user), {
    ...PAIR,
    type: "USERID",
    opsys: "UNIX",
    charset: null,
    userId: " stjohns",
  });
  assert.deepEqual(takeEveryWay(takeIdentResponse, line("6195, 23 : ERROR : NO-USER\r\n")), {
    portOnServer: 6195,
    portOnClient: 23,
    type: "ERROR",
    error: "NO-USER",
  });
});

test("responses are sent without white space", () => {
  const user = { ...PAIR, type: "USERID", opsys: "UNIX", charset: null, userId: "stjohns" } as const;
  assert.equal(encodeIdentResponse(user).toString(), "6193,23:USERID:UNIX:stjohns\r\n");
  assert.equal(
    encodeIdentResponse({ ...user, charset: "UTF-8", userId: "ärger" }).toString(),
    "6193,23:USERID:UNIX,UTF-8:ärger\r\n",
  );
  assert.equal(
    encodeIdentResponse({ ...PAIR, type: "ERROR", error: "HIDDEN-USER" }).toString(),
    "6193,23:ERROR:HIDDEN-USER\r\n",
  );
});

test("white space around every token, and a bare LF", () => {
  const spaced = line("\t6193\t,\t23\t:\tUSERID\t:\tUNIX\t,\tUTF-8\t:stjohns\n");
  assert.deepEqual(takeEveryWay(takeIdentResponse, spaced), {
    ...PAIR,
    type: "USERID",
    opsys: "UNIX",
    charset: "UTF-8",
    userId: "stjohns",
  });
  const error = takeEveryWay(takeIdentResponse, line("  6193,23:ERROR:  X-NO  \r\n"));
  assert.deepEqual(error, { ...PAIR, type: "ERROR", error: "X-NO" });
});

test("every error type, and those that begin with X", () => {
  const types: IdentErrorType[] = [
    "INVALID-PORT",
    "NO-USER",
    "HIDDEN-USER",
    "UNKNOWN-ERROR",
    "X1",
    `X${"y".repeat(63)}`,
  ];
  for (const error of types) {
    const response = { ...PAIR, type: "ERROR", error } as const;
    assert.deepEqual(takeEveryWay(takeIdentResponse, encodeIdentResponse(response)), response);
  }
  for (const error of ["", "X", "NOUSER", "no-user", "NO-USER 1", `X${"y".repeat(64)}`, "X:1"])
    fails(takeIdentResponse, `6193,23:ERROR:${error}\r\n`, "BAD_IDENT_RESPONSE");
});

test("the charset says what the user id's octets are; where it is unknown they are told in hex", () => {
  assert.equal(userIdOf("1,2:USERID:UNIX,US-ASCII:joe\r\n"), "joe");
  assert.equal(userIdOf("1,2:USERID:UNIX,utf-8:J\xc3\xbcrgen\r\n"), "Jürgen");
  assert.equal(userIdOf("1,2:USERID:UNIX:J\xc3\xbcrgen\r\n"), "Jürgen");
  assert.equal(userIdOf("1,2:USERID:UNIX,ISO-8859-1:J\xfcrgen\r\n"), "Jürgen");
  assert.equal(userIdOf("1,2:USERID:OTHER,EBCDIC-US:\x91\x96\x85\r\n"), "919685");
  for (const charset of ["", ",US-ASCII", ",UTF-8"])
    fails(takeIdentResponse, `1,2:USERID:UNIX${charset}:J\xfcrgen\r\n`, "BAD_IDENT_RESPONSE");
});

test("colons, commas and spaces belong to the user id", () => {
  assert.equal(userIdOf("1,2:USERID:OTHER: a:b, c \r\n"), " a:b, c ");
});

test("a user id has 1 to 512 octets", () => {
  assert.equal(userIdOf(`1,2:USERID:UNIX:${"u".repeat(512)}\r\n`), "u".repeat(512));
  for (const user of ["", "u".repeat(513), "\xc3\xbc".repeat(257)])
    fails(takeIdentResponse, `1,2:USERID:UNIX:${user}\r\n`, "BAD_IDENT_RESPONSE");
});

test("a user id cannot harm a log: no controls, no line separators, nothing that turns the text round", () => {
  const octets = [
    "\0",
    "\t",
    "\x1b",
    "\x7f",
    "\xc2\x9b",
    "\r",
    "\xe2\x80\xa8",
    "\xe2\x80\xae",
    "\xef\xbb\xbf",
  ];
  for (const each of octets) fails(takeIdentResponse, `1,2:USERID:UNIX:a${each}b\r\n`, "BAD_IDENT_RESPONSE");
  fails(takeIdentResponse, "1,2:USERID:UNIX,ISO-8859-1:a\x9bb\r\n", "BAD_IDENT_RESPONSE");
  fails(takeIdentResponse, "1,2:USERID:OTHER,EBCDIC-US:a\0b\r\n", "BAD_IDENT_RESPONSE");
});

test("what is no response", () => {
  const texts = [
    "",
    "1,2",
    "1,2:",
    "1,2:USERID",
    "1,2:USERID:UNIX",
    "1,2:USERID::joe",
    "1,2:USERID:UN IX:joe",
    "1,2:USERID:UNIX,:joe",
    "1,2:USERID:UNIX,A,B:joe",
    `1,2:USERID:${"U".repeat(65)}:joe`,
    "1,2:userid:UNIX:joe",
    "1,2:OTHER:UNIX:joe",
    "1:USERID:UNIX:joe",
    "1,123456:USERID:UNIX:joe",
    "SSH-2.0-OpenSSH_9.2p1",
    "\x05\x01\x00",
  ];
  for (const text of texts) fails(takeIdentResponse, `${text}\r\n`, "BAD_IDENT_RESPONSE");
});

test("what the other end could not take is not sent", () => {
  const user = { ...PAIR, type: "USERID", opsys: "UNIX", charset: null, userId: "joe" } as const;
  const wrong: IdentResponse[] = [
    { ...user, portOnServer: -1 },
    { ...user, portOnServer: 100_000 },
    { ...user, opsys: "UN:IX" },
    { ...user, opsys: "UNIX,A", charset: "B" },
    { ...user, charset: "" },
    { ...user, userId: "" },
    { ...user, userId: "u".repeat(513) },
    { ...user, userId: "joe\r\n1,2:USERID:UNIX:root" },
    { ...user, charset: "ISO-8859-1", userId: "\u{1f600}" },
    { ...user, userId: "\ud800" },
    { ...user, charset: "KOI8-R", userId: "joe" },
    { ...user, charset: "KOI8-R", userId: "6a0a6f65" },
    { ...PAIR, type: "ERROR", error: "X" },
    { ...PAIR, type: "ERROR", error: "X\r\n" },
  ];
  for (const response of wrong)
    assert.throws(() => encodeIdentResponse(response), UsageError, JSON.stringify(response));
  assert.throws(() => encodeIdentQuery({ portOnServer: 1.5, portOnClient: 1 }), UsageError);
});

test("a query with addresses", () => {
  const lookup = { ...PAIR, addressOnServer: "192.0.2.1", addressOnClient: "198.51.100.7" };
  const message = line("6193,23:192.0.2.1,198.51.100.7\n");
  assert.deepEqual(takeEveryWay(takeIdentLookup, message), lookup);
  assert.deepEqual(encodeIdentLookup(lookup), message);
  const six = { ...PAIR, addressOnServer: "2001:db8::1", addressOnClient: "::1" };
  assert.deepEqual(takeEveryWay(takeIdentLookup, encodeIdentLookup(six)), six);
  const texts = [
    "",
    "6193,23",
    "6193,23:",
    "6193,23:192.0.2.1",
    "6193,23:a,b",
    "6193,23:::1,::1,::1",
    "x:::1,::1",
  ];
  for (const text of texts) fails(takeIdentLookup, `${text}\n`, "BAD_IDENT_QUERY");
});

const port = fc.nat(99_999);
const token = fc.string({
  unit: fc.constantFrom(..."AZaz09-.!@#$%^&*()_=+<>/?\"'~`{}[];|\\"),
  minLength: 1,
  maxLength: 64,
});
const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 80 })
  .filter((each) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(each) && Buffer.byteLength(each) <= 512);
const octets = fc
  .uint8Array({ minLength: 1, maxLength: 512 })
  .map((each) => Buffer.from(each.filter((octet) => ![0x00, 0x0a, 0x0d].includes(octet))).toString("hex"))
  .filter((digits) => digits !== "");

test("queries and responses come back as they were", () => {
  fc.assert(
    fc.property(
      port,
      port,
      token,
      fc.constantFrom(null, "UTF-8"),
      text,
      octets,
      (a, b, opsys, charset, name, id) => {
        const pair = { portOnServer: a, portOnClient: b };
        assert.deepEqual(takeEveryWay(takeIdentQuery, encodeIdentQuery(pair)), pair);
        const responses: IdentResponse[] = [
          { ...pair, type: "USERID", opsys, charset, userId: name },
          { ...pair, type: "USERID", opsys, charset: "X-SECRET", userId: id },
          { ...pair, type: "ERROR", error: `X${opsys.slice(0, 63)}` },
        ];
        for (const response of responses)
          assert.deepEqual(takeEveryWay(takeIdentResponse, encodeIdentResponse(response)), response);
      },
    ),
    { numRuns: 300 },
  );
});
