/**
 * Rules that can never decide, because an earlier one matches whatever they would. A warning for whoever wrote them: what is
 * told is so, but for names that lead to protected destinations, IPv4 addresses in IPv6 ones, and clients without the name they
 * were asked for. What two earlier rules cover only together is not found.
 */
import { CONDITION_KEYS, type ConditionKey, type Conditions, type ConditionValues } from "./conditions.js";
import { isLocalName } from "./destination-name.js";
import type { DestinationPattern } from "./destination-pattern.js";
import { isAtLeast } from "./facts.js";
import { coversPrincipal } from "./principal.js";
import { holdsProtected, isWithinProtected } from "./protected-destinations.js";
import type { Rule } from "./rule.js";

/** Counted from 1. */
export interface Shadowed {
  readonly rule: number;
  readonly by: number;
}

/** @param ownPorts of the proxy's listeners */
export function shadowed(rules: readonly Rule[], ownPorts: ReadonlySet<number>): Shadowed[] {
  return rules.flatMap((inner, index) => {
    const by = rules.slice(0, index).findIndex((outer) => new Pair(outer, inner, ownPorts).covers());
    return by === -1 ? [] : [{ rule: index + 1, by: by + 1 }];
  });
}

/** What an allow and a deny read differently. */
const DOUBTFUL: ReadonlySet<ConditionKey> = new Set(["to", "localName", "group", "user"]);

class Pair {
  readonly #outer: Rule;
  readonly #inner: Rule;
  readonly #ownPorts: ReadonlySet<number>;
  /** The inner rule takes what is in doubt for a match, and the outer one does not. */
  readonly #doubts: boolean;

  constructor(outer: Rule, inner: Rule, ownPorts: ReadonlySet<number>) {
    this.#outer = outer;
    this.#inner = inner;
    this.#ownPorts = ownPorts;
    this.#doubts = outer.effect === "allow" && inner.effect === "deny";
  }

  covers(): boolean {
    const { body: outer, effect } = this.#outer;
    const { body: inner } = this.#inner;
    const { not: outerNot = {} } = outer;
    const { not: innerNot = {} } = inner;
    if (outer.method === undefined && effect === "allow" && inner.method?.includes("empty")) return false;
    if (outer.to === undefined && !this.#anyDestination()) return false;
    return CONDITION_KEYS.every(
      (key) =>
        this.#isWithin(key, inner, outer) &&
        // What the outer rule leaves out, the inner one has to leave out.
        this.#isWithin(key, outerNot, innerNot, true),
    );
  }

  /** Whether whatever `inner` has under the key is matched by `outer`, which matches everything where it has no such key. */
  #isWithin(key: ConditionKey, inner: Conditions, outer: Conditions, left = false): boolean {
    const [asked, given] = left ? [inner[key], outer[key]] : [outer[key], inner[key]];
    if (asked === undefined) return true;
    if (given === undefined || !this.#isSure(key, left)) return false;
    return this.#includes(key, outer, inner);
  }

  #isSure(key: ConditionKey, left: boolean): boolean {
    if (!DOUBTFUL.has(key)) return true;
    if (key === "to") return !left || this.#inner.effect === "allow";
    if (this.#doubts) return false;
    if (key === "localName") return true;
    const asserted = (rule: Rule) =>
      rule.effect === "deny" || rule.body.method?.includes("asserted") === true;
    return asserted(this.#outer) || !asserted(this.#inner);
  }

  #includes(key: ConditionKey, outer: Conditions, inner: Conditions): boolean {
    const both = <Key extends ConditionKey>(name: Key) =>
      [outer[name], inner[name]] as [ConditionValues[Key], ConditionValues[Key]];
    switch (key) {
      case "to":
        return every(...both("to"), (wide, narrow) => this.#hasEntry(wide, narrow));
      case "principal":
        return every(...both("principal"), coversPrincipal);
      case "from":
        return every(...both("from"), (wide, narrow) => narrow.isWithin(wide));
      case "tlsSubject":
        return every(...both("tlsSubject"), (wide, narrow) => wide.text === narrow.text);
      case "when": {
        const [wide, narrow] = both("when");
        return wide.text === narrow.text;
      }
      case "level": {
        const [wide, narrow] = both("level");
        return isAtLeast(narrow, wide);
      }
      case "tls":
        return outer.tls === inner.tls;
      default:
        return every<string>(...both(key), (wide, narrow) => wide === narrow);
    }
  }

  /** Without `to`, a rule does not match protected destinations, unless it denies some clients wherever they go. */
  #anyDestination(): boolean {
    const { effect, body } = this.#outer;
    if (effect === "deny" && Object.values(body).some((value) => value !== undefined)) return true;
    const { to } = this.#inner.body;
    if (to === undefined) {
      return (
        this.#inner.effect === "allow" ||
        Object.values(this.#inner.body).every((value) => value === undefined)
      );
    }
    return to.every((entry) => !this.#mayNameProtected(entry));
  }

  /** Whether the inner rule may match a protected destination by the entry. */
  #mayNameProtected(entry: DestinationPattern): boolean {
    const { kind, ports } = entry;
    if (kind === "protected") return true;
    if (kind === "name") return entry.name === "localhost";
    if (kind === "suffix" || kind === "local") return false;
    if (this.#inner.effect === "deny" && holdsProtected(entry.network)) return true;
    const isOwn = ports !== null && ports.low === ports.high && this.#ownPorts.has(ports.low);
    return isWithinProtected(entry.network) || (entry.network.isSingleAddress && isOwn);
  }

  #hasEntry(outer: DestinationPattern, inner: DestinationPattern): boolean {
    if (outer.ports !== null) {
      const { ports } = inner;
      if (ports === null || ports.low < outer.ports.low || ports.high > outer.ports.high) return false;
    }
    switch (outer.kind) {
      case "protected":
        return inner.kind === "protected" && (outer.of === null || outer.of === inner.of);
      case "name":
        return inner.kind === "name" && inner.name === outer.name;
      case "suffix":
        if (inner.kind === "suffix") return inner.suffix.endsWith(outer.suffix);
        return inner.kind === "name" && inner.name.endsWith(outer.suffix);
      case "local":
        if (inner.kind === "local") return true;
        if (inner.kind !== "name" || !isLocalName(inner.name)) return false;
        return this.#outer.effect === "deny" || !this.#mayNameProtected(inner);
      case "network":
        if (inner.kind !== "network" || !inner.network.isWithin(outer.network)) return false;
        // A deny matches all of it; an allow, of the protected destinations, only those it names.
        return this.#outer.effect === "deny" || outer.text === inner.text || !this.#mayNameProtected(inner);
    }
  }
}

/** Whether each of `inner` is covered by one of `outer`. */
function every<T>(
  outer: readonly T[],
  inner: readonly T[],
  covers: (wide: T, narrow: T) => boolean,
): boolean {
  return inner.every((narrow) => outer.some((wide) => covers(wide, narrow)));
}
