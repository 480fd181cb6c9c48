import { parseDestinationPattern } from "../../../src/policy/destination-pattern.js";
import type { Effect } from "../../../src/policy/matchers.js";
import type { IsOwnListener } from "../../../src/policy/protected-destinations.js";
import { Rule } from "../../../src/policy/rule.js";
import { Ruleset } from "../../../src/policy/ruleset.js";

/** An effect and the entries of `to`; no entries: `to` is left out. */
export type RuleSpec = readonly [effect: Effect, ...to: string[]];

export function ruleset(specs: readonly RuleSpec[], isOwnListener: IsOwnListener = () => false): Ruleset {
  const rules = specs.map(
    ([effect, ...to]) =>
      new Rule(effect, { to: to.length === 0 ? undefined : to.map(parseDestinationPattern) }),
  );
  return new Ruleset(rules, isOwnListener);
}
