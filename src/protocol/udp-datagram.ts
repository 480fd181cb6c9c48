/**
 * The header of a relayed datagram (RFC 1928 §7), the same in both directions.
 *
 *     +----+------+------+----------+----------+----------+
 *     |RSV | FRAG | ATYP | DST.ADDR | DST.PORT |   DATA   |
 *     +----+------+------+----------+----------+----------+
 *     | 2  |  1   |  1   | Variable |    2     | Variable |
 *     +----+------+------+----------+----------+----------+
 *
 * From the client, DST is the destination; to the client, it is where the datagram came from.
 */
import { PeerError } from "../errors.js";
import { type Endpoint, encodeEndpoint, readEndpoint } from "./address.js";
import { ReceiveBuffer } from "./receive-buffer.js";

export interface UdpDatagram {
  /** 0x00 for a datagram that stands alone. */
  readonly frag: number;
  readonly dst: Endpoint;
  /** A view of the datagram's own memory. */
  readonly data: Buffer;
}

/**
 * RSV is checked, unlike that of requests: a request sealed for the TCP connection and sent here (05 03 00 …) would
 * otherwise be taken for a header.
 * @throws PeerError (TRUNCATED, BAD_RSV, ADDRESS_TYPE_UNSUPPORTED, BAD_DOMAIN_NAME)
 */
export function decodeUdpDatagram(datagram: Buffer): UdpDatagram {
  const received = ReceiveBuffer.of(datagram);
  const address = received.length < 3 ? null : readEndpoint(received, 3);
  if (address === null) {
    throw new PeerError("TRUNCATED", `a datagram of ${datagram.length} octets ends inside its header`);
  }
  if (received.uint16(0) !== 0) throw new PeerError("BAD_RSV", "RSV of a datagram is not 0x0000");
  return { frag: received.octet(2), dst: address.endpoint, data: datagram.subarray(address.end) };
}

/**
 * RSV, FRAG 0x00 and DST, for DATA to be put behind.
 * @throws UsageError (BAD_DOMAIN_NAME, BAD_PORT)
 */
export function encodeUdpHeader(dst: Endpoint): Buffer {
  return Buffer.concat([Buffer.alloc(3), encodeEndpoint(dst)]);
}
