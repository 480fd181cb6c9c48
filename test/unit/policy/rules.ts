import type { Decision } from "../../../src/policy/decision.js";
import { parseDestinationPattern } from "../../../src/policy/destination-pattern.js";
import type { IsOwnListener } from "../../../src/policy/protected-destinations.js";
import { type Effect, Rule } from "../../../src/policy/rule.js";
import {
  type AddressRequest,
  type NameRequest,
  type Permitted,
  Ruleset,
} from "../../../src/policy/ruleset.js";

import { asking } from "./client.js";

/** An effect and the entries of `to`; no entries: `to` is left out. */
export type RuleSpec = readonly [effect: Effect, ...to: string[]];

type Asked<T> = Omit<T, "client" | "command" | "time">;

/** A ruleset that is asked about clients of the GSS-API method, unless the request says otherwise. */
export class AskedRuleset {
  readonly ruleset: Ruleset;

  constructor(ruleset: Ruleset) {
    this.ruleset = ruleset;
  }

  evaluateName(request: Asked<NameRequest>): Decision {
    return this.ruleset.evaluateName({ ...asking(), ...request });
  }

  evaluate(request: Asked<AddressRequest>): Decision {
    return this.ruleset.evaluate({ ...asking(), ...request });
  }

  permitted(
    request: Omit<Asked<NameRequest>, "name"> & { name: string | null },
    addresses: readonly string[],
  ): Permitted {
    return this.ruleset.permitted({ ...asking(), ...request }, addresses);
  }
}

export function ruleset(
  specs: readonly RuleSpec[],
  isOwnListener: IsOwnListener = () => false,
): AskedRuleset {
  const rules = specs.map(
    ([effect, ...to]) =>
      new Rule(effect, { to: to.length === 0 ? undefined : to.map(parseDestinationPattern) }),
  );
  return new AskedRuleset(new Ruleset(rules, isOwnListener));
}
