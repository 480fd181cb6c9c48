/**
 * The predicates of a rule; all of them must match. A predicate answers `unknown` when that depends on an address
 * which is not resolved yet. To add one (who asks, from where, when): a field in {@link PolicyRequest}, a function here
 * and a key in the configuration's schema.
 */
import { type AuthMethodName, needsNaming } from "./auth-methods.js";
import type { DestinationPattern } from "./destination-pattern.js";
import type { IpAddress } from "./ip-network.js";
import { isNamedBy, type Protection } from "./protected-destinations.js";

/** What a rule is asked about. */
export interface PolicyRequest {
  /** The name the client sent; null when it sent an address. */
  readonly name: string | null;
  /** The address that would be dialled; null before the name is resolved. */
  readonly address: string | null;
  readonly port: number;
  readonly method: AuthMethodName;
}

/** The request with its destination parsed. */
export interface Facts extends PolicyRequest {
  readonly destination: Destination;
}

export interface Destination {
  /** Normalised. */
  readonly name: string | null;
  readonly ip: IpAddress | null;
  /** The IPv4 address inside an IPv6 one that a translator maps. */
  readonly embedded: IpAddress | null;
  readonly port: number;
  readonly protection: Protection | null;
}

/** `yes` says for the audit what has matched. */
export type Match =
  | { readonly is: "yes"; readonly by: string }
  | { readonly is: "no" }
  | { readonly is: "unknown" };

export interface Matcher {
  /** As in the configuration: `to: [10.0.0.0/8]`. */
  readonly text: string;
  match(facts: Facts): Match;
}

export type Effect = "allow" | "deny";

const NO: Match = { is: "no" };
const UNKNOWN: Match = { is: "unknown" };
const LONGEST_LIST = 8;

/** The destination matches one of `entries`. To deny, any match counts; to allow a protected one, it must be named. */
export function toMatcher(entries: readonly DestinationPattern[], effect: Effect): Matcher {
  const shown = entries.slice(0, LONGEST_LIST).map(({ text }) => text);
  if (entries.length > LONGEST_LIST) shown.push(`and ${entries.length - LONGEST_LIST} more`);
  return {
    text: `to: [${shown.join(", ")}]`,
    match: ({ destination }) => {
      let unknown = false;
      for (const entry of entries) {
        const is = matchEntry(entry, destination, effect);
        if (is === "yes") return { is, by: entry.text };
        unknown ||= is === "unknown";
      }
      return unknown ? UNKNOWN : NO;
    },
  };
}

/** A rule without `to`: every destination but the protected ones. */
export const anyDestination: Matcher = {
  text: "",
  match: ({ destination }) => {
    if (destination.ip === null) return UNKNOWN;
    return destination.protection === null ? { is: "yes", by: "every destination" } : NO;
  },
};

/** How the client was authenticated is one of `methods`. */
export function methodMatcher(methods: readonly AuthMethodName[]): Matcher {
  return {
    text: `method: [${methods.join(", ")}]`,
    match: ({ method }) => (methods.includes(method) ? { is: "yes", by: `method ${method}` } : NO),
  };
}

/** An allow rule without `method`: every one that need not be named. */
export const anyMethod: Matcher = {
  text: "",
  match: ({ method }) => (needsNaming(method) ? NO : { is: "yes", by: "" }),
};

function matchEntry(entry: DestinationPattern, destination: Destination, effect: Effect): Match["is"] {
  const { ip, port, protection } = destination;
  if (entry.ports !== null && (port < entry.ports.low || port > entry.ports.high)) return "no";
  if (entry.kind === "network" && ip === null) return "unknown";
  if (!isSame(entry, destination, effect)) return "no";
  return effect === "deny" || protection === null || isNamedBy(entry, protection) ? "yes" : "no";
}

function isSame(entry: DestinationPattern, { name, ip, embedded }: Destination, effect: Effect): boolean {
  switch (entry.kind) {
    case "network":
      // A translator must not carry anybody round a deny.
      return [ip, effect === "deny" ? embedded : null].some(
        (each) => each !== null && entry.network.contains(each),
      );
    case "name":
      return name === entry.name;
    case "suffix":
      return name?.endsWith(entry.suffix) ?? false;
  }
}
