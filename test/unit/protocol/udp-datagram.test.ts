// RFC 1928 §7: the header of a relayed datagram. Addresses have a test of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PeerError } from "../../../src/errors.js";
import { type Endpoint, parseHost } from "../../../src/protocol/address.js";
import { decodeUdpDatagram, encodeUdpHeader } from "../../../src/protocol/udp-datagram.js";
import { hex } from "./hex.js";

const endpoint = (host: string, port: number): Endpoint => ({ host: parseHost(host), port });

const TABLE: [header: string, dst: Endpoint][] = [
  [
    `00 00          # RSV
     00             # FRAG: stands alone
     01             # ATYP: IP V4 address
     c6 33 64 07    # DST.ADDR: 198.51.100.7
     00 35          # DST.PORT: 53`,
    endpoint("198.51.100.7", 53),
  ],
  [
    `00 00 00
     04             # ATYP: IP V6 address
     20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
     01 bb`,
    endpoint("2001:db8::1", 443),
  ],
  [
    `00 00 00
     03             # ATYP: DOMAINNAME
     07 64 6e 73 2e 74 73 74    # dns.tst
     00 35`,
    endpoint("dns.tst", 53),
  ],
];

test("IPv4, IPv6 and names; with data, with none", () => {
  for (const [text, dst] of TABLE) {
    const header = hex(text);
    assert.deepEqual(encodeUdpHeader(dst), header);
    for (const data of ["", "x", "data".repeat(300)]) {
      const datagram = Buffer.concat([header, Buffer.from(data)]);
      const decoded = decodeUdpDatagram(datagram);
      assert.deepEqual(decoded, { frag: 0, dst, data: Buffer.from(data) });
      assert.equal(decoded.data.buffer, datagram.buffer, "a view");
    }
  }
});

test("FRAG is told as it is: 0x80 marks the last of a sequence", () => {
  for (const frag of [0x01, 0x7f, 0x80, 0xff]) {
    const datagram = hex("00 00 00 01 7f 00 00 01 00 35 61");
    datagram[2] = frag;
    assert.equal(decodeUdpDatagram(datagram).frag, frag);
  }
});

function fails(datagram: Buffer, code: string): void {
  assert.throws(
    () => decodeUdpDatagram(datagram),
    (error) => error instanceof PeerError && error.code === code,
    datagram.toString("hex"),
  );
}

test("a datagram cut anywhere in its header", () => {
  for (const [text] of TABLE) {
    const header = hex(text);
    for (let length = 0; length < header.length; length += 1) fails(header.subarray(0, length), "TRUNCATED");
  }
});

test("what is no header", () => {
  fails(hex("00 01 00 01 7f 00 00 01 00 35"), "BAD_RSV");
  fails(hex("05 03 00 01 00 00 00 00 00 00"), "BAD_RSV"); // A request, as it is sent on TCP.
  fails(hex("00 00 00 02 7f 00 00 01 00 35"), "ADDRESS_TYPE_UNSUPPORTED");
  fails(hex("00 00 00 03 00 00 35"), "BAD_DOMAIN_NAME");
  fails(hex("00 00 00 03 02 61 0a 00 35"), "BAD_DOMAIN_NAME");
});

test("property: what is encoded is decoded", () => {
  const host = fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((text) => parseHost(text).kind === "ipv6"),
    fc.domain().filter((text) => text.length < 256),
  );
  fc.assert(
    fc.property(host, fc.nat(0xffff), fc.uint8Array({ maxLength: 2000 }), (text, port, octets) => {
      const data = Buffer.from(octets);
      const dst = endpoint(text, port);
      const datagram = Buffer.concat([encodeUdpHeader(dst), data]);
      assert.deepEqual(decodeUdpDatagram(datagram), { frag: 0, dst, data });
    }),
  );
});
