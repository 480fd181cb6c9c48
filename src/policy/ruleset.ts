/**
 * The rules in order: the first that matches decides, and what none matches is denied.
 *
 * A request by name is judged twice. Before DNS, addresses are unknown, and only what no address could change is
 * denied: no query leaves for it. Then each resolved address is judged, and that judgement is the one that counts.
 */
import { type AuthMethodName, needsNaming } from "./auth-methods.js";
import type { Conditions } from "./conditions.js";
import { type Decision, undecided } from "./decision.js";
import { parseName } from "./destination-name.js";
import type { Destination, Facts, PolicyRequest } from "./facts.js";
import { embeddedIpv4, parseIp } from "./ip-network.js";
import { type IsOwnListener, protectionOf } from "./protected-destinations.js";
import type { Rule, RuleMatch } from "./rule.js";

export type NameRequest = Omit<PolicyRequest, "name" | "address"> & { readonly name: string };
export type AddressRequest = PolicyRequest & { readonly address: string };

export interface Permitted {
  /** The addresses that may be dialled, in the order given, each with the decision for the audit. */
  readonly allowed: readonly { readonly address: string; readonly decision: Decision }[];
  /** The first denial; null unless `allowed` is empty. */
  readonly denial: Decision | null;
}

/** What has to be found out about clients, because some rule asks for it. */
export interface Needs {
  readonly localName: boolean;
  readonly groups: readonly string[];
}

/** Told of each rule that was asked, in their order. */
export type Trace = (step: {
  readonly rule: Rule;
  /** Counted from 1. */
  readonly number: number;
  readonly facts: Facts;
  readonly match: RuleMatch;
}) => void;

export class Ruleset {
  readonly needs: Needs;
  readonly #rules: readonly Rule[];
  readonly #isOwnListener: IsOwnListener;
  readonly #literal: boolean;

  /**
   * @param isOwnListener asked on each judgement, so that it may know listeners that were opened later
   * @param literal networks match the addresses that clients ask for, and no name's: nothing is looked up to find a rule
   */
  constructor(rules: readonly Rule[], isOwnListener: IsOwnListener, literal = false) {
    this.#rules = rules;
    this.#isOwnListener = isOwnListener;
    this.#literal = literal;
    this.needs = needsOf(rules);
  }

  /**
   * Before DNS.
   * @returns `deny` when no address the name could have would be allowed; `allow` when none matters, because the rule leads
   *   elsewhere or to an upstream, which is told the name; else `resolve`
   */
  evaluateName(request: NameRequest, trace?: Trace): Decision {
    const name = parseName(request.name);
    if (name === null) return notAName(request.name);
    const literal = this.#literal;
    const destination = { name, ip: null, embedded: null, port: request.port, protection: null, literal };
    const { client, command, time, port } = request;
    const facts = { client, command, time, name: request.name, address: null, port, destination };
    let unknown = false;
    let lacking: Decision | null = null;
    let hint = "";
    for (const [index, rule] of this.#rules.entries()) {
      const match = rule.match(facts);
      trace?.({ rule, number: index + 1, facts, match });
      if (match.is === "no") continue;
      const { effect, because } = rule.verdict(facts.client);
      if (rule.effect === "deny" && match.is === "yes") return decided(rule, index, match.by, facts);
      if (effect === "allow") {
        const { redirect, via } = rule.terms;
        const elsewhere = match.is === "yes" && !unknown && (redirect !== null || via !== null);
        return elsewhere
          ? decided(rule, index, match.by, facts)
          : undecided("resolve", `the addresses of ${name} decide`);
      }
      // An allow that lacks its level does not match yet: at a protected address a later one may.
      if (rule.effect === "allow" && match.is === "yes") lacking ??= decided(rule, index, match.by, facts);
      if (because !== null) hint ||= `; rule ${index + 1} might, only ${because}`;
      unknown = true;
    }
    if (lacking !== null) return lacking;
    if (unknown) return undecided("deny", `no rule allows ${name}, whatever its address${hint}`);
    return undecided("deny", noRule(request.client.method));
  }

  /** On an address, by which the client asked or to which its name was resolved. @returns `allow` or `deny` */
  evaluate(request: AddressRequest, trace?: Trace): Decision {
    const destination = this.#parse(request);
    if ("effect" in destination) return destination;
    const { client, command, time, name, address, port } = request;
    // Field by field: of an object that is spread and added to, V8 makes a class of its own each time (Node 20).
    const facts = { client, command, time, name, address, port, destination };
    for (const [index, rule] of this.#rules.entries()) {
      const match = rule.match(facts);
      trace?.({ rule, number: index + 1, facts, match });
      if (match.is === "yes") return decided(rule, index, match.by, facts);
    }
    const { method } = request.client;
    const kind = destination.protection?.kind;
    if (kind === undefined) return undecided("deny", noRule(method));
    const hint = `protected destination: ${kind}; a rule's \`to\` must name it`;
    return undecided("deny", needsNaming(method) ? `${noRule(method)}; ${hint}` : hint);
  }

  /** Judges every address of a name. */
  permitted(request: Omit<PolicyRequest, "address">, addresses: readonly string[], trace?: Trace): Permitted {
    const { client, command, time, name, port } = request;
    const judged = addresses.map((address) => ({
      address,
      decision: this.evaluate({ client, command, time, name, address, port }, trace),
    }));
    const allowed = judged.filter(({ decision }) => decision.effect === "allow");
    if (allowed.length > 0) return { allowed, denial: null };
    return { allowed, denial: judged[0]?.decision ?? undecided("deny", "the name has no address") };
  }

  #parse({ name, address, port }: AddressRequest): Destination | Decision {
    const ip = parseIp(address.replace(/%.*$/s, ""));
    if (ip === null) return undecided("deny", `not an IP address: ${JSON.stringify(address)}`);
    const parsedName = name === null ? null : parseName(name);
    if (name !== null && parsedName === null) return notAName(name);
    const protection = protectionOf(ip, port, this.#isOwnListener);
    return { name: parsedName, ip, embedded: embeddedIpv4(ip), port, protection, literal: this.#literal };
  }
}

function decided(rule: Rule, index: number, by: string, { client }: Facts): Decision {
  const { effect, because } = rule.verdict(client);
  const { terms } = rule;
  const verb = rule.effect === "allow" ? "allows" : "denies";
  const only = because === null ? "" : ` only ${because}`;
  const words = terms.reason === null ? "" : `: ${terms.reason}`;
  return {
    effect,
    rule: index + 1,
    ruleText: rule.text,
    reason: `rule ${index + 1} ${verb} ${by === "" ? "everything" : by}${only}${words}`,
    terms,
  };
}

function needsOf(rules: readonly Rule[]): Needs {
  const asked = rules.flatMap(({ body }): Conditions[] => [body, body.not ?? {}]);
  return {
    localName: asked.some(({ localName }) => localName !== undefined),
    groups: [...new Set(asked.flatMap(({ group }) => group ?? []))],
  };
}

function noRule(method: AuthMethodName): string {
  const hint = "; a client without a user name needs a rule whose `method` names `empty`";
  return `no rule matches${needsNaming(method) ? hint : ""}`;
}

function notAName(name: string): Decision {
  return undecided("deny", `not a host name: ${JSON.stringify(name.slice(0, 255))}`);
}
