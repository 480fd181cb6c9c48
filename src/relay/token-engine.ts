/** What makes and opens the tokens of message protection, and what all that do have in common. */
import { type GssError, PeerError } from "../errors.js";
import { GSS_S_DUPLICATE_TOKEN, GSS_S_GAP_TOKEN, GSS_S_OLD_TOKEN, GSS_S_UNSEQ_TOKEN } from "../gss/flags.js";
import { GSSAPI_HEADER, MTYP } from "../protocol/constants.js";
import { checkGssapiVersion, checkMtyp } from "../protocol/gssapi-message.js";

/** Frames of RFC 1961 §5 out of plain octets, and back. */
export interface TokenEngine {
  /** Plain octets whose frames one pooled buffer has room for. */
  readonly slice: number;
  /** Seals `plain[start, end)`, at most a slice, to the beginning of `output`; returns how long the frames are. */
  seal(plain: Uint8Array, start: number, end: number, output: Buffer): number;
  /**
   * Opens the whole frames of `buffer[start, end)` in place and adds the plain octets to `opened`.
   *
   * @returns where what is no whole frame begins
   * @throws PeerError
   */
  open(buffer: Buffer, start: number, end: number, opened: Buffer[]): number;
  /** Frees what is held, which the context is not; nothing may be called afterwards. */
  close(): void;
}

const LOST: readonly [bit: number, code: string, what: string][] = [
  [GSS_S_DUPLICATE_TOKEN, "REPLAYED_TOKEN", "a token was replayed"],
  [GSS_S_OLD_TOKEN, "OLD_TOKEN", "a token is too old to be checked for replay"],
  [GSS_S_UNSEQ_TOKEN, "UNSEQUENCED_TOKEN", "a token came after a later one"],
  [GSS_S_GAP_TOKEN, "MISSING_TOKEN", "a token before this one is missing"],
];

/**
 * GSS_ERROR masks these bits: the library calls such a token a success (RFC 2743 §1.2.3).
 * @param supplementary bits of the major status of gss_unwrap
 * @throws PeerError (REPLAYED_TOKEN, OLD_TOKEN, UNSEQUENCED_TOKEN, MISSING_TOKEN)
 */
export function checkOrder(supplementary: number): void {
  const lost = LOST.find(([bit]) => (supplementary & bit) !== 0);
  if (lost !== undefined) throw new PeerError(lost[1], lost[2]);
}

export function badToken(cause: GssError): PeerError {
  return new PeerError("BAD_TOKEN", `a token could not be opened: ${cause.message}`, { cause });
}

export function notConfidential(): PeerError {
  return new PeerError("NOT_CONFIDENTIAL", "an integrity-only token under level confidentiality");
}

export function truncated(): PeerError {
  return new PeerError("TRUNCATED", "the stream ended inside a token");
}

/** Length of the frame at `at`, or of its header while that is not all there. Checks each octet as soon as it is there. */
export function frameLength(buffer: Buffer, at: number, end: number): number {
  if (end > at) checkGssapiVersion(buffer[at] as number);
  if (end > at + 1) checkMtyp(buffer[at + 1] as number, [MTYP.USER_DATA]);
  return end < at + GSSAPI_HEADER ? GSSAPI_HEADER : GSSAPI_HEADER + buffer.readUInt16BE(at + 2);
}
