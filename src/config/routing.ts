/** What a forwarder does not take through its upstream: lists as no_proxy's, and the rules that they come to. */
import { type DestinationPattern, parseDestinationPattern } from "../policy/destination-pattern.js";
import type { NoProxy } from "../policy/no-proxy.js";
import { type Effect, Rule } from "../policy/rule.js";
import { NO_TERMS } from "../policy/terms.js";

export interface Routing {
  /** What is connected to from here. */
  readonly direct: NoProxy;
  readonly refuse: NoProxy;
}

const REFUSED = "it is on the list of what is refused";
const PROTECTED =
  "what goes direct does not lead to this host and its neighbours, unless the list has the address, as 127.0.0.0/8";

const EVERY_PROTECTED = [parseDestinationPattern("protected")];

/** The rules with those of the lists before them. What goes direct is at no address left to those behind. */
export function routed(rules: readonly Rule[], { direct, refuse }: Routing): Rule[] {
  // What no rule allows is denied.
  if (refuse.all) return [];
  return [
    ...listed("deny", refuse, REFUSED),
    ...listed("allow", direct),
    ...listed("deny", direct, PROTECTED),
    ...(direct.all ? [rule("allow", undefined), rule("deny", EVERY_PROTECTED, PROTECTED)] : []),
    ...rules,
  ];
}

function listed(effect: Effect, { patterns }: NoProxy, reason?: string): Rule[] {
  return patterns.length === 0 ? [] : [rule(effect, patterns, reason)];
}

function rule(
  effect: Effect,
  to: readonly DestinationPattern[] | undefined,
  reason: string | null = null,
): Rule {
  return new Rule(effect, to === undefined ? {} : { to }, { ...NO_TERMS, reason });
}
