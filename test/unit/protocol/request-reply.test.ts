// RFC 1928 §4 and §6: the request and the reply. Addresses have a test of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Endpoint, parseHost } from "../../../src/protocol/address.js";
import { describeRep, encodeReply, takeReply } from "../../../src/protocol/reply.js";
import { encodeRequest, takeRequest } from "../../../src/protocol/request.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

const CONNECT = hex(`
  05             # VER
  01             # CMD: CONNECT
  00             # RSV
  01             # ATYP: IP V4 address
  c6 33 64 07    # DST.ADDR: 198.51.100.7
  00 50          # DST.PORT: 80
`);

test("a CONNECT request", () => {
  const request = { cmd: 1, dst: { host: { kind: "ipv4", address: "198.51.100.7" }, port: 80 } } as const;
  assert.deepEqual(takeEveryWay(takeRequest, CONNECT), request);
  assert.deepEqual(encodeRequest(request), CONNECT);
});

test("every CMD is taken: whether it is supported is the caller's to say; RSV is not looked at", () => {
  for (const cmd of [0x00, 0x02, 0x03, 0x04, 0xff]) {
    const message = Buffer.from(CONNECT);
    message[1] = cmd;
    message[2] = 0x5a;
    assert.equal(takeEveryWay(takeRequest, message).cmd, cmd);
  }
});

test("a request of another version is told by its first octet, an unknown ATYP by the fourth", () => {
  failsEveryWay(takeRequest, hex("04 01 00 50 c6 33 64 07 00"), 1, { code: "BAD_VERSION" });
  failsEveryWay(takeRequest, hex("05 01 00 02 00 00 00 00 00 00"), 4, {
    code: "ADDRESS_TYPE_UNSUPPORTED",
    rep: 0x08,
  });
});

test("a reply", () => {
  const message = hex(`
    05                         # VER
    00                         # REP: succeeded
    00                         # RSV
    04                         # ATYP: IP V6 address
    20 01 0d b8 00 00 00 00
    00 00 00 00 00 00 00 02    # BND.ADDR: 2001:db8::2
    c0 00                      # BND.PORT: 49152
  `);
  const reply = { rep: 0, bnd: { host: { kind: "ipv6", address: "2001:db8::2" }, port: 49152 } } as const;
  assert.deepEqual(takeEveryWay(takeReply, message), reply);
  assert.deepEqual(encodeReply(reply), message);
});

test("every REP is taken, and each assigned one has its words", () => {
  for (let rep = 0; rep <= 0xff; rep += 1) {
    const message = Buffer.concat([Buffer.of(0x05, rep), hex("00 01 00 00 00 00 00 00")]);
    assert.equal(takeEveryWay(takeReply, message).rep, rep);
  }
  assert.equal(describeRep(0x00), "succeeded");
  assert.equal(describeRep(0x02), "connection not allowed by ruleset");
  assert.equal(describeRep(0x06), "TTL expired");
  assert.equal(describeRep(0x08), "address type not supported");
  assert.equal(describeRep(0x09), "unassigned reply 0x09");
});

test("a reply of another version is told by its first octet", () => {
  failsEveryWay(takeReply, hex("00 5a 00 00 00 00 00 00"), 1, { code: "BAD_VERSION" });
});

const ipv4 = fc.ipV4().map(parseHost);
const ipv6 = fc.ipV6().map(parseHost);
const domain = fc.domain().map((name) => ({ kind: "domain", name }) as const);
const endpoint: fc.Arbitrary<Endpoint> = fc.record(
  { host: fc.oneof(ipv4, ipv6, domain), port: fc.nat(0xffff) },
  { noNullPrototype: true },
);
const octet = fc.nat(0xff);

test("requests and replies come back as they were", () => {
  fc.assert(
    fc.property(octet, endpoint, (code, address) => {
      const request = { cmd: code, dst: address };
      assert.deepEqual(takeEveryWay(takeRequest, encodeRequest(request)), request);
      const reply = { rep: code, bnd: address };
      assert.deepEqual(takeEveryWay(takeReply, encodeReply(reply)), reply);
    }),
    { numRuns: 500 },
  );
});
