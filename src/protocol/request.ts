/**
 * The request (RFC 1928 §4).
 *
 *     +----+-----+-------+------+----------+----------+
 *     |VER | CMD |  RSV  | ATYP | DST.ADDR | DST.PORT |
 *     +----+-----+-------+------+----------+----------+
 *     | 1  |  1  | X'00' |  1   | Variable |    2     |
 *     +----+-----+-------+------+----------+----------+
 */
import { PeerError } from "../errors.js";
import { type Endpoint, encodeEndpoint, readEndpoint } from "./address.js";
import { SOCKS5_VERSION } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

export interface Request {
  readonly cmd: number;
  readonly dst: Endpoint;
}

/**
 * RSV is not checked, as in other servers.
 * @returns null while octets are missing
 * @throws PeerError with the REP to answer with (BAD_VERSION, ADDRESS_TYPE_UNSUPPORTED, BAD_DOMAIN_NAME)
 */
export function takeRequest(received: ReceiveBuffer): Request | null {
  if (received.length < 1) return null;
  const version = received.octet(0);
  if (version !== SOCKS5_VERSION) {
    throw new PeerError(
      "BAD_VERSION",
      `the request's VER is 0x${version.toString(16).padStart(2, "0")}, expected 0x05`,
    );
  }
  const address = readEndpoint(received, 3);
  if (address === null) return null;
  const cmd = received.octet(1);
  received.take(address.end);
  return { cmd, dst: address.endpoint };
}

export function encodeRequest({ cmd, dst }: Request): Buffer {
  return Buffer.concat([Buffer.from([SOCKS5_VERSION, cmd, 0x00]), encodeEndpoint(dst)]);
}
