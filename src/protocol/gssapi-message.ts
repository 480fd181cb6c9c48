/**
 * The messages of the GSS-API method (RFC 1961 §3.4, §3.8, §4.3, §5).
 *
 *     +------+------+------+.......................+        +------+------+
 *     + ver  | mtyp | len  |       token           |        + ver  | mtyp |
 *     +------+------+------+.......................+        +------+------+
 *     + 0x01 | 0x01 | 0x02 | up to 2^16 - 1 octets |        + 0x01 | 0xff |
 *     +------+------+------+.......................+        +------+------+
 *
 * The 0x02 under len is its size: two octets, big-endian, the token's length alone.
 */
import { PeerError, UsageError } from "../errors.js";
import { GSSAPI_HEADER, GSSAPI_VERSION, MAX_TOKEN, MTYP } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

export interface GssapiMessage {
  readonly mtyp: number;
  readonly token: Buffer;
}

/** The whole abort message: it has no len (RFC 1961 §3.8). */
export const ABORT: Buffer = Buffer.from([GSSAPI_VERSION, MTYP.ABORT]);

/**
 * @param expected the mtyps that may come now
 * @returns null while octets are missing
 * @throws PeerError (ABORTED, BAD_VERSION, UNEXPECTED_MESSAGE) as soon as the two first octets tell
 */
export function takeGssapiMessage(
  received: ReceiveBuffer,
  expected: readonly number[],
): GssapiMessage | null {
  if (received.length < 1) return null;
  checkGssapiVersion(received.octet(0));
  if (received.length < 2) return null;
  const mtyp = received.octet(1);
  checkMtyp(mtyp, expected);
  if (received.length < GSSAPI_HEADER) return null;
  const length = received.uint16(2);
  if (received.length < GSSAPI_HEADER + length) return null;
  return { mtyp, token: received.take(GSSAPI_HEADER + length).subarray(GSSAPI_HEADER) };
}

/** @throws UsageError (TOKEN_TOO_LONG) for a token that two octets of len can't tell */
export function encodeGssapiMessage(mtyp: number, token: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(GSSAPI_HEADER + token.length);
  writeGssapiHeader(message, 0, mtyp, token.length);
  message.set(token, GSSAPI_HEADER);
  return message;
}

/** Writes ver, mtyp and len at `offset`. */
export function writeGssapiHeader(output: Buffer, offset: number, mtyp: number, length: number): void {
  if (length > MAX_TOKEN) {
    throw new UsageError(
      "TOKEN_TOO_LONG",
      `a token of ${length} octets does not fit RFC 1961's len (at most ${MAX_TOKEN})`,
    );
  }
  output[offset] = GSSAPI_VERSION;
  output[offset + 1] = mtyp;
  output.writeUInt16BE(length, offset + 2);
}

export function checkGssapiVersion(version: number): void {
  if (version === GSSAPI_VERSION) return;
  throw new PeerError(
    "BAD_VERSION",
    `not a GSS-API message: ver is 0x${version.toString(16).padStart(2, "0")}, expected 0x01`,
  );
}

export function checkMtyp(mtyp: number, expected: readonly number[]): void {
  if (expected.includes(mtyp)) return;
  if (mtyp === MTYP.ABORT) throw new PeerError("ABORTED", "the peer sent an abort (01 ff)");
  const list = expected.map(String).join(" or ");
  throw new PeerError("UNEXPECTED_MESSAGE", `GSS-API message of type ${mtyp} where ${list} was expected`);
}
