// RFC 1928 §5: ATYP, address and port; and what counts as a host name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../../src/errors.js";
import {
  type Address,
  type Endpoint,
  encodeEndpoint,
  formatEndpoint,
  isThisHost,
  parseHost,
  readEndpoint,
  UNSPECIFIED,
} from "../../../src/protocol/address.js";
import { ReceiveBuffer } from "../../../src/protocol/receive-buffer.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

/** As requests and replies use it: read in place, then taken. */
function take(received: ReceiveBuffer): Endpoint | null {
  const read = readEndpoint(received, 0);
  if (read !== null) received.take(read.end);
  return read?.endpoint ?? null;
}

const named = (name: string | Buffer, port = "00 50") =>
  Buffer.concat([Buffer.of(0x03, name.length), Buffer.from(name as string, "latin1"), hex(port)]);

test("an IPv4 address", () => {
  const octets = hex(`
    01             # ATYP: IP V4
    c0 00 02 01    # 192.0.2.1
    01 bb          # port 443, in network order
  `);
  const endpoint: Endpoint = { host: { kind: "ipv4", address: "192.0.2.1" }, port: 443 };
  assert.deepEqual(takeEveryWay(take, octets), endpoint);
  assert.deepEqual(encodeEndpoint(endpoint), octets);
});

test("an IPv6 address, in the text of RFC 5952", () => {
  const octets = hex(`
    04                         # ATYP: IP V6
    20 01 0d b8 00 00 00 00
    00 00 00 00 00 00 00 01    # 2001:db8::1
    ff ff                      # port 65535
  `);
  const endpoint: Endpoint = { host: { kind: "ipv6", address: "2001:db8::1" }, port: 65535 };
  assert.deepEqual(takeEveryWay(take, octets), endpoint);
  assert.deepEqual(encodeEndpoint(endpoint), octets);
});

test("an IPv4-mapped IPv6 address is the IPv4 address it stands for", () => {
  const octets = hex(`
    04                         # ATYP: IP V6
    00 00 00 00 00 00 00 00
    00 00 ff ff 7f 00 00 01    # ::ffff:127.0.0.1
    00 16
  `);
  assert.deepEqual(takeEveryWay(take, octets), { host: { kind: "ipv4", address: "127.0.0.1" }, port: 22 });
});

test("a name", () => {
  const octets = hex(`
    03                                        # ATYP: DOMAINNAME
    0c                                        # octets of name that follow; no NUL ends it
    64 62 2e 65 78 61 6d 70 6c 65 2e 74       # db.example.t
    15 38                                     # port 5432
  `);
  const endpoint: Endpoint = { host: { kind: "domain", name: "db.example.t" }, port: 5432 };
  assert.deepEqual(takeEveryWay(take, octets), endpoint);
  assert.deepEqual(encodeEndpoint(endpoint), octets);
});

test("names of one and of 255 octets; port 0", () => {
  for (const name of ["a", "a".repeat(255), "_sip._tcp.example.test.", "xn--bcher-kva.example"]) {
    assert.deepEqual(takeEveryWay(take, named(name, "00 00")), { host: { kind: "domain", name }, port: 0 });
  }
});

test("an address sent as a name is taken as the address, so that rules see one", () => {
  const table: [name: string, host: Address][] = [
    ["10.0.0.1", { kind: "ipv4", address: "10.0.0.1" }],
    ["::1", { kind: "ipv6", address: "::1" }],
    ["2001:DB8:0:0:0:0:0:1", { kind: "ipv6", address: "2001:db8::1" }],
    ["::ffff:169.254.169.254", { kind: "ipv4", address: "169.254.169.254" }],
    ["::192.0.2.1", { kind: "ipv6", address: "::c000:201" }],
    ["64:ff9b::192.0.2.1", { kind: "ipv6", address: "64:ff9b::c000:201" }],
    ["::ffff:a9fe:a9fe", { kind: "ipv4", address: "169.254.169.254" }],
  ];
  for (const [name, host] of table) assert.deepEqual(takeEveryWay(take, named(name)).host, host, name);
});

test("what only a C library takes for an address stays a name, to be judged again once resolved", () => {
  for (const name of ["127.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "127.0.0.1.", "1.2.3.256"]) {
    assert.deepEqual(takeEveryWay(take, named(name)).host, { kind: "domain", name });
  }
});

test("a name with an octet that a log or a resolver could misread is refused", () => {
  const names = [
    "",
    "a b",
    "a\0b",
    "good.test\0.bad.test",
    "a\nb",
    "a/b",
    "a:b",
    "[::1]",
    "*.test",
    "b\xfccher",
    "a\x7f",
    "127.0.0.1\0",
    "::ffff:010.0.0.1",
    "::ffff:0x7f.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1%\0",
    "127.0.0.1%lo",
    "fe80::1%eth0",
    "example.test%",
  ];
  for (const name of names) {
    const octets = named(name);
    failsEveryWay(take, octets, octets.length, { code: "BAD_DOMAIN_NAME" });
  }
});

test("a refused name can't write to the log's lines or to a terminal", () => {
  const received = new ReceiveBuffer(300);
  received.append(named('a\n\x1b[2J\x7f\x9b2J\xff"'));
  const message = 'not a host name: "a\\n\\u001b[2J\\x7f\\x9b2J\\xff\\""';
  assert.throws(() => take(received), { message });
});

test("an unknown ATYP is told by itself, with REP 0x08", () => {
  for (const atyp of ["00", "02", "05", "ff"]) {
    failsEveryWay(take, hex(`${atyp} 00 00 00 00 00 00`), 1, { code: "ADDRESS_TYPE_UNSUPPORTED", rep: 0x08 });
  }
});

test("what SOCKS5 can't carry is the caller's error", () => {
  const names = ["", "a".repeat(256), "a b", "b\u00fccher", "\u4f8b.test", "a\0"];
  for (const name of names) {
    assert.throws(
      () => encodeEndpoint({ host: { kind: "domain", name }, port: 1 }),
      (error) => error instanceof UsageError && error.code === "BAD_DOMAIN_NAME",
    );
  }
  for (const port of [-1, 65536, 1.5, Number.NaN]) {
    assert.throws(
      () => encodeEndpoint({ host: { kind: "ipv4", address: "192.0.2.1" }, port }),
      (error) => error instanceof UsageError && error.code === "BAD_PORT",
    );
  }
});

test("text as a socket reports it or a user types it", () => {
  const table: [text: string, host: Address][] = [
    ["192.0.2.1", { kind: "ipv4", address: "192.0.2.1" }],
    ["::ffff:192.0.2.1", { kind: "ipv4", address: "192.0.2.1" }],
    ["fe80::1%eth0", { kind: "ipv6", address: "fe80::1" }],
    ["FE80:0::1", { kind: "ipv6", address: "fe80::1" }],
    ["proxy.example.test", { kind: "domain", name: "proxy.example.test" }],
    ["192.0.2", { kind: "domain", name: "192.0.2" }],
  ];
  for (const [text, host] of table) assert.deepEqual(parseHost(text), host, text);
});

test("an endpoint in a message", () => {
  assert.equal(formatEndpoint(UNSPECIFIED), "0.0.0.0:0");
  assert.equal(formatEndpoint({ host: parseHost("2001:db8::1"), port: 80 }), "[2001:db8::1]:80");
  assert.equal(formatEndpoint({ host: parseHost("db.example.test"), port: 5432 }), "db.example.test:5432");
});

test("whether it is this very host", () => {
  for (const text of [
    "127.0.0.1",
    "127.255.0.9",
    "::1",
    "0:0::1",
    "::ffff:127.0.0.1",
    "localhost",
    "LocalHost.",
  ])
    assert.equal(isThisHost(parseHost(text)), true, text);
  for (const text of [
    "128.0.0.1",
    "127.1",
    "127.0.0.1.test",
    "::2",
    "0.0.0.0",
    "::",
    "localhost.test",
    "a.localhost",
  ])
    assert.equal(isThisHost(parseHost(text)), false, text);
});
