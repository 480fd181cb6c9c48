/**
 * The reply (RFC 1928 §6).
 *
 *     +----+-----+-------+------+----------+----------+
 *     |VER | REP |  RSV  | ATYP | BND.ADDR | BND.PORT |
 *     +----+-----+-------+------+----------+----------+
 *     | 1  |  1  | X'00' |  1   | Variable |    2     |
 *     +----+-----+-------+------+----------+----------+
 */
import { PeerError } from "../errors.js";
import { type Endpoint, encodeEndpoint, readEndpoint } from "./address.js";
import { SOCKS5_VERSION } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

export interface Reply {
  readonly rep: number;
  readonly bnd: Endpoint;
}

const MEANING = [
  "succeeded",
  "general SOCKS server failure",
  "connection not allowed by ruleset",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

/** RFC 1928's words for a REP. */
export function describeRep(rep: number): string {
  return MEANING[rep] ?? `unassigned reply 0x${rep.toString(16).padStart(2, "0")}`;
}

/**
 * @returns null while octets are missing
 * @throws PeerError (BAD_VERSION, ADDRESS_TYPE_UNSUPPORTED, BAD_DOMAIN_NAME)
 */
export function takeReply(received: ReceiveBuffer): Reply | null {
  if (received.length < 1) return null;
  const version = received.octet(0);
  if (version !== SOCKS5_VERSION) {
    throw new PeerError(
      "BAD_VERSION",
      `the reply's VER is 0x${version.toString(16).padStart(2, "0")}, expected 0x05`,
    );
  }
  const address = readEndpoint(received, 3);
  if (address === null) return null;
  const rep = received.octet(1);
  received.take(address.end);
  return { rep, bnd: address.endpoint };
}

export function encodeReply({ rep, bnd }: Reply): Buffer {
  return Buffer.concat([Buffer.from([SOCKS5_VERSION, rep, 0x00]), encodeEndpoint(bnd)]);
}
