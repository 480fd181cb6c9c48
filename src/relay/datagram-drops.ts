/** Why datagrams are dropped. RFC 1928 §7: silently, so the counters are all that tells. */
const REASONS = [
  /** Not from the client's address and port. */
  "stranger",
  /** More a second than allowed, either way. */
  "rate",
  /** Not `01 03 len token` under protection, or with no header that can be read. */
  "malformed",
  /** A fragment (FRAG is not 0x00). */
  "fragment",
  /** Not a token of this context, or changed on its way. */
  "bad-token",
  /** Integrity only, under level confidentiality. */
  "not-confidential",
  /** Seen before. */
  "duplicate",
  /** Too old to tell whether it was seen before. */
  "old",
  /** By a rule. */
  "denied",
  /** The name did not resolve, or there is no way to the address. */
  "unreachable",
  /** Too many wait already: to be judged, or for the network to take them. */
  "backlog",
  /** From an address that the client has not sent to. */
  "unsolicited",
  /** Does not fit into a datagram, with its header and its token. */
  "too-large",
  /** The context could not seal it. */
  "unsealed",
] as const;

export type DropReason = (typeof REASONS)[number];

export type Drops = Record<DropReason, number>;

export function noDrops(): Drops {
  return Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Drops;
}
