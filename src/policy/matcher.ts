/** One predicate of a rule; all of a rule's must match. */
import type { Facts } from "./facts.js";

/**
 * `unknown`: that depends on an address which is not resolved yet. `unavailable`: on something that could not be found
 * out. `by` says for the audit what has matched, or what is not known.
 */
export type Match =
  | { readonly is: "yes"; readonly by: string }
  | { readonly is: "unavailable"; readonly by: string }
  | { readonly is: "no" }
  | { readonly is: "unknown" };

export interface Matcher {
  /** As in the configuration, `to: [10.0.0.0/8]`; empty for what holds where a key is left out. */
  readonly text: string;
  match(facts: Facts): Match;
  /** What there is, for whoever asks why it does not match: `the method is password`. */
  found(facts: Facts): string;
}

/** How the rule it belongs to is to be understood. */
export interface Reading {
  /**
   * A match leads to a denial (of a deny rule, or below `not` of an allow rule): then whatever might be meant matches.
   * Else only what is meant for certain.
   */
  readonly broad: boolean;
  /** The rule asks for the method `asserted` by name: then a client's word for who it is will do. */
  readonly asserted: boolean;
}

export const NO = { is: "no" } as const satisfies Match;
export const UNKNOWN = { is: "unknown" } as const satisfies Match;

const LONGEST_LIST = 8;

/** `key: [entry, entry]`, long lists cut short. */
export function listText(key: string, entries: readonly string[]): string {
  const shown = entries.slice(0, LONGEST_LIST);
  if (entries.length > LONGEST_LIST) shown.push(`and ${entries.length - LONGEST_LIST} more`);
  return `${key}: [${shown.join(", ")}]`;
}

export function yes(by: string): Match {
  return { is: "yes", by };
}

/** A list of which one entry is enough. */
export function anyOf<T>(
  key: string,
  entries: readonly T[],
  textOf: (entry: T) => string,
  has: (entry: T, facts: Facts) => boolean,
  found: (facts: Facts) => string,
): Matcher {
  // Made here once, not for each request.
  const rows = entries.map((entry) => ({ entry, yes: yes(`${key} ${textOf(entry)}`) }));
  return {
    text: listText(key, entries.map(textOf)),
    match: (facts) => rows.find(({ entry }) => has(entry, facts))?.yes ?? NO,
    found,
  };
}

/** `inner`, read from below `not`. */
export function negated(inner: Matcher): Matcher {
  const text = `not ${inner.text}`;
  const but = yes(text);
  return {
    text,
    match: (facts) => {
      const match = inner.match(facts);
      if (match.is === "yes") return NO;
      return match.is === "no" ? but : match;
    },
    found: (facts) => {
      const match = inner.match(facts);
      return match.is === "yes" ? `${match.by} matches` : inner.found(facts);
    },
  };
}
