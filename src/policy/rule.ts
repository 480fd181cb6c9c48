import type { AuthMethodName } from "./auth-methods.js";
import type { DestinationPattern } from "./destination-pattern.js";
import {
  anyDestination,
  anyMethod,
  type Effect,
  type Facts,
  type Match,
  type Matcher,
  methodMatcher,
  toMatcher,
} from "./matchers.js";

/** The parsed body of `allow` or `deny`. */
export interface RuleBody {
  /** undefined: every destination but the protected ones. */
  readonly to?: readonly DestinationPattern[] | undefined;
  /** undefined: every method; to allow, `empty` must be named. */
  readonly method?: readonly AuthMethodName[] | undefined;
}

/** One rule: an effect and the predicates that must all match. */
export class Rule {
  readonly effect: Effect;
  /** As in the configuration, on one line, long lists cut short. */
  readonly text: string;
  readonly #matchers: readonly Matcher[];

  constructor(effect: Effect, body: RuleBody) {
    this.effect = effect;
    this.#matchers = [destinationOf(effect, body), methodOf(effect, body)].filter((each) => each !== null);
    const keys = this.#matchers.map(({ text }) => text).filter((text) => text !== "");
    this.text = keys.length === 0 ? `${effect}: {}` : `${effect}: { ${keys.join(", ")} }`;
  }

  /** "no" if one predicate says so, else "unknown" if one does, else "yes" by all of them. */
  match(facts: Facts): Match {
    const by: string[] = [];
    let unknown: Match | null = null;
    for (const matcher of this.#matchers) {
      const match = matcher.match(facts);
      if (match.is === "no") return match;
      if (match.is === "yes" && match.by !== "") by.push(match.by);
      else if (match.is === "unknown") unknown = match;
    }
    return unknown ?? { is: "yes", by: by.join(", ") };
  }
}

/** A deny of methods alone means these clients, wherever they want to go: protected destinations, too. */
function destinationOf(effect: Effect, { to, method }: RuleBody): Matcher | null {
  if (to !== undefined) return toMatcher(to, effect);
  return effect === "deny" && method !== undefined ? null : anyDestination;
}

function methodOf(effect: Effect, { method }: RuleBody): Matcher | null {
  if (method !== undefined) return methodMatcher(method);
  return effect === "allow" ? anyMethod : null;
}
