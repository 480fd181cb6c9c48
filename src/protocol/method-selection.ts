/**
 * Method selection (RFC 1928 §3).
 *
 *     +----+----------+----------+          +----+--------+
 *     |VER | NMETHODS | METHODS  |          |VER | METHOD |
 *     +----+----------+----------+          +----+--------+
 *     | 1  |    1     | 1 to 255 |          | 1  |   1    |
 *     +----+----------+----------+          +----+--------+
 */
import { PeerError } from "../errors.js";
import { SOCKS4_VERSION, SOCKS5_VERSION } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

/**
 * The methods a client lists.
 * @returns null while octets are missing
 * @throws PeerError (BAD_VERSION, NO_METHODS)
 */
export function takeMethods(received: ReceiveBuffer): number[] | null {
  if (received.length < 1) return null;
  checkVersion(received.octet(0));
  if (received.length < 2) return null;
  const count = received.octet(1);
  if (count === 0) throw new PeerError("NO_METHODS", "the client lists no method");
  if (received.length < 2 + count) return null;
  return [...received.take(2 + count).subarray(2)];
}

export function encodeMethods(methods: readonly number[]): Buffer {
  return Buffer.from([SOCKS5_VERSION, methods.length, ...methods]);
}

/**
 * The method a server selected.
 * @returns null while octets are missing
 * @throws PeerError (BAD_VERSION)
 */
export function takeMethod(received: ReceiveBuffer): number | null {
  if (received.length < 1) return null;
  checkVersion(received.octet(0));
  if (received.length < 2) return null;
  return received.take(2).readUInt8(1);
}

export function encodeMethod(method: number): Buffer {
  return Buffer.from([SOCKS5_VERSION, method]);
}

function checkVersion(version: number): void {
  if (version === SOCKS5_VERSION) return;
  throw new PeerError(
    "BAD_VERSION",
    `not SOCKS5: the first octet is 0x${version.toString(16).padStart(2, "0")}, ${looksLike(version)}`,
  );
}

function looksLike(version: number): string {
  if (version === SOCKS4_VERSION)
    return "SOCKS4, which is not taken here: `socks4` of a listener turns it on";
  if (version === 0x16) return "which looks like TLS";
  if (version >= 0x41 && version <= 0x5a) return "which looks like HTTP";
  return "expected 0x05";
}
