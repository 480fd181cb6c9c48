/** Protection levels and their negotiation (RFC 1961 §4.2, §4.4). */
import { PeerError } from "../errors.js";

/** `none` (0) is not in the RFC, but in the world. */
export type ProtectionLevel = "none" | "integrity" | "confidentiality" | "selective";

/** A level that can be agreed on as it is; `selective` always ends as one of these on our server. */
export type AgreedLevel = Exclude<ProtectionLevel, "selective">;

const OCTETS: readonly ProtectionLevel[] = ["none", "integrity", "confidentiality", "selective"];

export function levelToOctet(level: ProtectionLevel): number {
  return OCTETS.indexOf(level);
}

/**
 * @param octets what the level token held: exactly one octet
 * @throws PeerError (BAD_LEVEL)
 */
export function levelFromOctets(octets: Uint8Array): ProtectionLevel {
  const level = octets.length === 1 ? OCTETS[octets[0] ?? -1] : undefined;
  if (level !== undefined) return level;
  throw new PeerError(
    "BAD_LEVEL",
    `the level token holds ${Buffer.from(octets.subarray(0, 8)).toString("hex") || "nothing"}, expected one octet from 0 to 3`,
  );
}

/**
 * The server's choice: what the client offers where that is allowed, else the best allowed level as a counter-offer
 * (RFC 1961 §4.2 leaves the choice to the server; a client that can't take it closes).
 * @param allowed best first, at least one
 */
export function chooseLevel(offered: ProtectionLevel, allowed: readonly AgreedLevel[]): AgreedLevel {
  if (offered === "selective") {
    const strongest = (["confidentiality", "integrity"] as const).find((level) => allowed.includes(level));
    return strongest ?? (allowed[0] as AgreedLevel);
  }
  return allowed.includes(offered) ? offered : (allowed[0] as AgreedLevel);
}
