import { anyMethod } from "./client-matchers.js";
import { type Conditions, matchersOf } from "./conditions.js";
import { anyDestination, anyDestinationElsewhere } from "./destination-matcher.js";
import { type Client, type Facts, isAtLeast } from "./facts.js";
import { type Match, type Matcher, NO, negated } from "./matcher.js";
import { NO_TERMS, type Terms } from "./terms.js";

export type Effect = "allow" | "deny";

/** The parsed body of `allow` or `deny`: all that is in it must hold, and nothing of what is below `not` may. */
export interface RuleBody extends Conditions {
  readonly not?: Conditions | undefined;
}

/** A match, where what could not be found out has been decided upon. */
export type RuleMatch = Exclude<Match, { is: "unavailable" }>;

/** One rule: an effect, the predicates that must all match, and the terms. */
export class Rule {
  readonly effect: Effect;
  readonly body: RuleBody;
  readonly terms: Terms;
  /** As in the configuration, on one line, long lists cut short. */
  readonly text: string;
  readonly #matchers: readonly Matcher[];

  constructor(effect: Effect, body: RuleBody, terms: Terms = NO_TERMS) {
    this.effect = effect;
    this.body = body;
    this.terms = terms;
    const asserted = body.method?.includes("asserted") === true;
    const denies = effect === "deny";
    const { not = {}, ...conditions } = body;
    const asked = matchersOf(conditions, { broad: denies, asserted });
    const excepted = matchersOf(not, { broad: !denies, asserted });
    this.#matchers = [...implicit(effect, body, terms), ...asked, ...excepted.map(negated)];
    const keys = asked.map(({ text }) => text);
    if (excepted.length > 0) keys.push(`not: { ${excepted.map(({ text }) => text).join(", ")} }`);
    this.text = keys.length === 0 ? `${effect}: {}` : `${effect}: { ${keys.join(", ")} }`;
  }

  /**
   * "no" if one predicate says so, else "unknown" if one does, else "yes" by all of them. What can't be found out lets
   * nobody in and keeps out: there an allow does not match, and a deny does.
   */
  match(facts: Facts): RuleMatch {
    const by: string[] = [];
    let unknown: RuleMatch | null = null;
    for (const matcher of this.#matchers) {
      const match = matcher.match(facts);
      if (match.is === "no") return NO;
      if (match.is === "unknown") unknown = match;
      else if (match.is === "unavailable" && this.effect === "allow") return NO;
      else if (match.by !== "") by.push(match.by);
    }
    return unknown ?? { is: "yes", by: by.join(", ") };
  }

  /** What follows for a client whom it matches, and the reason where that is not the rule's effect. */
  verdict({ level }: Client): { effect: Effect; because: string | null } {
    const { requireLevel } = this.terms;
    if (requireLevel === null || isAtLeast(level, requireLevel))
      return { effect: this.effect, because: null };
    const better = requireLevel === "confidentiality" ? "" : " or better";
    const because = `at level ${requireLevel}${better}, and the session's level is ${level}`;
    return { effect: "deny", because };
  }

  /** Why it does not match: `to: [10.0.0.0/8]: the destination is …`, of each predicate that says so. */
  mismatches(facts: Facts): string[] {
    return this.#matchers.flatMap((matcher) => {
      const { is } = matcher.match(facts);
      if (is === "yes" || is === "unknown" || (is === "unavailable" && this.effect === "deny")) return [];
      const what = matcher.found(facts);
      return [matcher.text === "" ? what : `${matcher.text}: ${what}`];
    });
  }
}

/** What holds where keys are left out. A deny of some clients means these, wherever they want to go: protected ones, too. */
function implicit(effect: Effect, { to, method, not, ...others }: RuleBody, { via }: Terms): Matcher[] {
  const asks = [method, not, ...Object.values(others)].some((value) => value !== undefined);
  const matchers: Matcher[] = [];
  if (to === undefined && (effect === "allow" || !asks))
    matchers.push(via === null ? anyDestination : anyDestinationElsewhere);
  if (method === undefined && effect === "allow") matchers.push(anyMethod);
  return matchers;
}
