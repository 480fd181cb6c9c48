/** What a rule may ask for, and the predicates that ask it. A new one is a key here and in the configuration's schema. */
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { AuthMethodName } from "./auth-methods.js";
import {
  groupMatcher,
  localNameMatcher,
  mechanismMatcher,
  methodMatcher,
  principalMatcher,
  realmMatcher,
  tlsSubjectMatcher,
  userMatcher,
} from "./client-matchers.js";
import { toMatcher } from "./destination-matcher.js";
import type { DestinationPattern } from "./destination-pattern.js";
import type { CommandName } from "./facts.js";
import type { IpNetwork } from "./ip-network.js";
import type { Matcher, Reading } from "./matcher.js";
import type { PrincipalPattern } from "./principal.js";
import {
  commandMatcher,
  fromMatcher,
  levelMatcher,
  listenerMatcher,
  tlsMatcher,
  whenMatcher,
} from "./session-matchers.js";
import type { TimeWindow } from "./time-window.js";
import type { SubjectPattern } from "./tls-subject.js";

/** The values of each key; of a list, one entry is enough. */
export interface ConditionValues {
  to: readonly DestinationPattern[];
  method: readonly AuthMethodName[];
  mechanism: readonly string[];
  principal: readonly PrincipalPattern[];
  realm: readonly string[];
  localName: readonly string[];
  group: readonly string[];
  user: readonly string[];
  tlsSubject: readonly SubjectPattern[];
  from: readonly IpNetwork[];
  listener: readonly string[];
  level: AgreedLevel;
  tls: boolean;
  command: readonly CommandName[];
  when: TimeWindow;
}

export type ConditionKey = keyof ConditionValues;

export type Conditions = { readonly [Key in ConditionKey]?: ConditionValues[Key] | undefined };

/** In the order in which a rule tells of them. */
const MATCHERS: { [Key in ConditionKey]: (value: ConditionValues[Key], reading: Reading) => Matcher } = {
  to: toMatcher,
  method: methodMatcher,
  mechanism: mechanismMatcher,
  principal: principalMatcher,
  realm: realmMatcher,
  localName: localNameMatcher,
  group: groupMatcher,
  user: userMatcher,
  tlsSubject: tlsSubjectMatcher,
  from: fromMatcher,
  listener: listenerMatcher,
  level: levelMatcher,
  tls: tlsMatcher,
  command: commandMatcher,
  when: whenMatcher,
};

export const CONDITION_KEYS = Object.keys(MATCHERS) as ConditionKey[];

export function matchersOf(conditions: Conditions, reading: Reading): Matcher[] {
  return CONDITION_KEYS.flatMap((key) => matcherOf(key, conditions, reading));
}

function matcherOf<Key extends ConditionKey>(key: Key, conditions: Conditions, reading: Reading): Matcher[] {
  const value = conditions[key] as ConditionValues[Key] | undefined;
  return value === undefined ? [] : [MATCHERS[key](value, reading)];
}
