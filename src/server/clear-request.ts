/** A client that can't seal, as curl, sends its request in clear all the same. */
import { type GssocksError, PeerError } from "../errors.js";
import { SOCKS5_VERSION } from "../protocol/constants.js";

/** @param failure what became of opening `octets` as a frame */
export function isClearRequest(failure: GssocksError, octets: Buffer): boolean {
  return failure.code === "BAD_VERSION" && octets[0] === SOCKS5_VERSION;
}

export function clearRequest(level: string | null): PeerError {
  return new PeerError(
    "CLEAR_REQUEST",
    `level ${level} was agreed, but the client sends its request in clear: a client that can't seal, as curl, needs a listener with protectionLevels: [none]`,
  );
}
