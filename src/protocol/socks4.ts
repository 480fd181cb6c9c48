/**
 * SOCKS4 and its extension 4a, as their author published them.
 *
 *     +----+----+---------+-------+--------+------+           +----+----+---------+-------+
 *     | VN | CD | DSTPORT | DSTIP | USERID | NULL |           | VN | CD | DSTPORT | DSTIP |
 *     +----+----+---------+-------+--------+------+           +----+----+---------+-------+
 *     | 4  | 1  |    2    |   4   |        |  1   |           | 0  | 1  |    2    |   4   |
 *     +----+----+---------+-------+--------+------+           +----+----+---------+-------+
 *
 * 4a: where DSTIP is 0.0.0.x and x is not 0, a host name and another NULL stand behind the request.
 */
import { PeerError } from "../errors.js";
import { type Address, type Endpoint, nameOnTheWire, UNSPECIFIED } from "./address.js";
import { SOCKS4_CD, SOCKS4_VERSION } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

export interface Socks4Request {
  readonly cmd: number;
  readonly dst: Endpoint;
  /** USERID; may be empty. */
  readonly user: string;
}

/** VN, CD, DSTPORT and DSTIP. */
const HEADER = 8;

/** RFC 1413 §6: a user id has at most 512 octets. */
const MAX_USERID = 512;

const MAX_NAME = 255;

/**
 * @returns null while octets are missing
 * @throws PeerError (BAD_USERID, BAD_DOMAIN_NAME)
 */
export function takeSocks4Request(received: ReceiveBuffer): Socks4Request | null {
  if (received.length < HEADER) return null;
  const user = textAt(received, HEADER, MAX_USERID, "BAD_USERID", "a USERID");
  if (user === null) return null;
  const ip = [4, 5, 6, 7].map((index) => received.octet(index));
  const named = ip[0] === 0 && ip[1] === 0 && ip[2] === 0 && ip[3] !== 0;
  const name = named ? textAt(received, user.end, MAX_NAME, "BAD_DOMAIN_NAME", "a host name") : undefined;
  if (name === null) return null;
  const host: Address =
    name === undefined ? { kind: "ipv4", address: ip.join(".") } : nameOnTheWire(name.octets);
  const request = {
    cmd: received.octet(1),
    dst: { host, port: received.uint16(2) },
    user: userText(user.octets),
  };
  received.take((name ?? user).end);
  return request;
}

/** @param bnd where it is no IPv4 address, 0.0.0.0:0 is sent: SOCKS4 knows no other */
export function encodeSocks4Reply(code: number, bnd: Endpoint = UNSPECIFIED): Buffer {
  const { host, port } = bnd.host.kind === "ipv4" ? bnd : UNSPECIFIED;
  const ip = host.kind === "ipv4" ? host.address.split(".").map(Number) : [0, 0, 0, 0];
  return Buffer.from([0x00, code, port >> 8, port & 0xff, ...ip]);
}

const REFUSALS: Readonly<Record<string, number>> = {
  IDENT_UNAVAILABLE: SOCKS4_CD.IDENT_UNAVAILABLE,
  // It could not be asked, by our own limits: no word of its against the user, and worth another try.
  IDENT_BUSY: SOCKS4_CD.IDENT_UNAVAILABLE,
  IDENT_MISMATCH: SOCKS4_CD.IDENT_MISMATCH,
  // It answers, and does not say that it is the user.
  IDENT_REFUSED: SOCKS4_CD.IDENT_MISMATCH,
};

/** The CD of a refusal. */
export function socks4Refusal(error: { code: string }): number {
  return REFUSALS[error.code] ?? SOCKS4_CD.REJECTED;
}

export function isSocks4(received: ReceiveBuffer): boolean {
  return received.length > 0 && received.octet(0) === SOCKS4_VERSION;
}

/** The octets up to NULL, which must come within `limit`. */
function textAt(
  received: ReceiveBuffer,
  start: number,
  limit: number,
  code: string,
  what: string,
): { octets: Buffer; end: number } | null {
  for (let at = start; at < received.length; at += 1) {
    if (received.octet(at) === 0) return { octets: received.peek(start, at), end: at + 1 };
    if (at - start === limit) throw new PeerError(code, `${what} of more than ${limit} octets`);
  }
  return null;
}

/** Text that a log can show. */
function userText(octets: Buffer): string {
  const text = octets.toString("utf8");
  if (/[\p{C}\ufffd]/u.test(text)) {
    throw new PeerError("BAD_USERID", `a USERID that is no text: ${octets.subarray(0, 32).toString("hex")}`);
  }
  return text;
}
