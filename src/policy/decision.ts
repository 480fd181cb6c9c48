import { NO_TERMS, type Terms } from "./terms.js";

/** What the rules say about one destination. */
export interface Decision {
  /** `resolve`: the name alone does not decide, each of its addresses has to be judged. */
  readonly effect: "allow" | "deny" | "resolve";
  /** The rule that decided, counted from 1; null where none did. */
  readonly rule: number | null;
  /** That rule as text, long lists cut short. */
  readonly ruleText: string | null;
  /** A sentence for the audit record. */
  readonly reason: string;
  /** What that rule says besides. */
  readonly terms: Terms;
}

export function undecided(effect: "deny" | "resolve", reason: string): Decision {
  return { effect, rule: null, ruleText: null, reason, terms: NO_TERMS };
}
