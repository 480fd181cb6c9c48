/** The header of a datagram: a PeerError, or an endpoint and data that can be put together again. */
import assert from "node:assert/strict";
import { PeerError } from "../../src/errors.js";
import { decodeUdpDatagram, encodeUdpHeader, type UdpDatagram } from "../../src/protocol/udp-datagram.js";
import { checkEndpoint } from "./codec-target.js";

export function fuzzUdpDatagram(octets: Buffer): void {
  const before = Buffer.from(octets);
  let decoded: UdpDatagram;
  try {
    decoded = decodeUdpDatagram(octets);
  } catch (error) {
    assert.ok(error instanceof PeerError, String(error));
    return;
  }
  const { frag, dst, data } = decoded;
  checkEndpoint(dst);
  assert.ok(frag >= 0 && frag <= 0xff);
  assert.ok(data.length <= octets.length - 8);
  assert.deepEqual(octets, before, "nothing is written");
  const again = Buffer.concat([encodeUdpHeader(dst), data]);
  assert.deepEqual(decodeUdpDatagram(again), { frag: 0, dst, data });
}
