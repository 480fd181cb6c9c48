/** What the rules of a configuration would say to somebody, and why: by the same calls that the server makes. */
import { isIP } from "node:net";
import { openGroupSources } from "../auth/group-sources.js";
import type { Identity } from "../auth/identity.js";
import type { Config, ListenerConfig } from "../config/schema.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import type { Decision } from "../policy/decision.js";
import type { Client, CommandName, Groups, LocalName } from "../policy/facts.js";
import { ownListenerTest } from "../policy/protected-destinations.js";
import { Ruleset, type Trace } from "../policy/ruleset.js";
import { type Endpoint, parseHost } from "../protocol/address.js";
import { listenerAddressText } from "../protocol/listener-address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { Resolver } from "../relay/resolver.js";
import { authorize, DeniedError } from "../server/authorize.js";
import { ClientFacts } from "../server/client-facts.js";
import { Directory } from "../server/directory.js";
import { localAddresses } from "../server/local-addresses.js";

/** Null is what the configuration, the system or DNS says. */
export interface Question {
  as: string | null;
  from: string | null;
  to: Endpoint;
  command: CommandName;
  method: AuthMethodName | null;
  mechanism: string | null;
  level: AgreedLevel | null;
  /** As the configuration has it, `address:port`. */
  listener: string | null;
  tls: boolean | null;
  tlsSubject: readonly string[] | null;
  localName: string | null;
  groups: readonly string[] | null;
  time: number;
  /** Of the name that is asked for. */
  addresses: readonly string[] | null;
}

export interface Explanation {
  decision: "allow" | "deny";
  /** Counted from 1; null where none decided. */
  rule: number | null;
  ruleText: string | null;
  reason: string;
  terms: Decision["terms"] | null;
  /** Where to go, of those that may be dialed. */
  addresses: readonly string[];
  port: number;
  client: ExplainedClient;
  judgements: readonly Judgement[];
}

interface ExplainedClient {
  method: AuthMethodName;
  mechanism: string | null;
  principal: string | null;
  user: string | null;
  localName: string | null;
  groups: readonly string[];
  from: string | null;
  listener: string;
  level: AgreedLevel;
  tls: boolean;
  tlsSubject: string | null;
}

/** The rules in their order, as far as they were asked. */
export interface Judgement {
  /** Null: of the name, before it is looked up. */
  address: string | null;
  steps: readonly Step[];
}

export interface Step {
  rule: number;
  text: string;
  match: "yes" | "no" | "unknown";
  /** Each condition that does not hold, and what there is instead. */
  mismatches: readonly string[];
}

/** @throws NetworkError where the name can't be looked up; ConfigError, UsageError */
export async function explain(config: Config, question: Question): Promise<Explanation> {
  const { to, command, time } = question;
  const own = () =>
    config.listeners.flatMap((at) => ("host" in at ? [{ address: at.host, port: at.port }] : []));
  const ruleset = new Ruleset(config.rules, ownListenerTest(own, localAddresses));
  const client = await clientOf(config, question, ruleset);
  const judgements: { address: string | null; steps: Step[] }[] = [];
  const trace: Trace = ({ rule, number, facts, match: { is } }) => {
    if (number === 1) judgements.push({ address: facts.address, steps: [] });
    const mismatches = is === "no" ? rule.mismatches(facts) : [];
    judgements.at(-1)?.steps.push({ rule: number, text: rule.text, match: is, mismatches });
  };
  const common = { client: shown(client), judgements, port: to.port };
  const denied = {
    ...common,
    decision: "deny",
    rule: null,
    ruleText: null,
    terms: null,
    addresses: [],
  } as const;
  if (!config.commands.includes(command))
    return { ...denied, reason: `the command ${command} is not allowed (commands)` };
  const asked = to.host.kind === "domain" ? to.host.name : null;
  const resolver = new Resolver();
  const resolve = async (name: string) =>
    (name === asked ? question.addresses : null) ?? resolver.resolve(name, "explain");
  try {
    const { addresses, port } = await authorize(ruleset, to, { client, command, time }, resolve, trace);
    const [{ rule, ruleText, reason, terms }] = [...addresses.values()] as [Decision];
    const where = { addresses: [...addresses.keys()], port };
    return { ...common, ...where, decision: "allow", rule, ruleText, reason, terms };
  } catch (error) {
    if (!(error instanceof DeniedError)) throw error;
    const { rule, ruleText, reason, terms } = error.decision;
    return { ...denied, rule, ruleText, reason, terms };
  }
}

async function clientOf(config: Config, question: Question, { needs }: Ruleset): Promise<Client> {
  const { as, from, localName, groups, tlsSubject } = question;
  const listener =
    config.listeners.find((each) => listenerAddressText(each) === question.listener) ??
    (config.listeners[0] as ListenerConfig);
  const method = question.method ?? (as === null ? "none" : as.includes("@") ? "gssapi" : "password");
  const known = config.groups;
  const sources = known === null || groups !== null ? [] : await openGroupSources(known);
  const system = new Directory({ sources, maxAge: known?.maxAge ?? 0 });
  const directory = {
    localName: async (principal: string): Promise<LocalName> =>
      localName === null ? system.localName(principal) : { name: localName, failure: null },
    groups: async (...of: Parameters<Directory["groups"]>): Promise<Groups> =>
      groups === null ? system.groups(...of) : { names: new Set(groups), failure: null },
  };
  const arrival = {
    address: from ?? "",
    listener: listenerAddressText(listener),
    tls: question.tls ?? listener.tls !== null,
    tlsSubject,
  };
  const level = question.level ?? (method === "gssapi" ? (listener.protectionLevels[0] ?? "none") : "none");
  return new ClientFacts(arrival, { ruleset: { needs }, directory }).of(
    identityOf(config, question, method),
    level,
  );
}

function identityOf({ passwords }: Config, { as, mechanism }: Question, method: AuthMethodName): Identity {
  const used = method === "gssapi" ? (mechanism ?? "krb5") : null;
  const kerberos =
    used === null
      ? method === "password" && passwords !== null && "kerberos" in passwords
      : used !== "ntlmssp";
  return { method, principal: as, kerberos: kerberos && as !== null, mechanism: used, acceptor: null };
}

function shown(client: Client): ExplainedClient {
  const { method, mechanism, user, listener, level, tls, tlsSubject } = client;
  return {
    method,
    mechanism,
    principal: client.principal?.text ?? null,
    user,
    localName: client.localName.name,
    groups: [...client.groups.names],
    from: client.address?.toString() ?? null,
    listener,
    level,
    tls,
    tlsSubject: tlsSubject?.join(", ") ?? null,
  };
}

/** For people. */
export function explanationText({
  decision,
  reason,
  addresses,
  port,
  client,
  judgements,
}: Explanation): string {
  const { method, mechanism, level, groups } = client;
  const name = client.principal ?? client.user ?? "somebody";
  const who = [method, mechanism, `level ${level}`, ...(client.tls ? ["TLS"] : [])].filter(
    (part) => part !== null,
  );
  const lines = [
    `${name} (${who.join(", ")})${client.from === null ? "" : ` from ${client.from}`} at ${client.listener}`,
  ];
  if (client.localName !== null) lines.push(`local name: ${client.localName}`);
  if (groups.length > 0) lines.push(`groups: ${groups.join(", ")}`);
  for (const { address, steps } of judgements) {
    lines.push("", address === null ? "By its name, before it is looked up:" : `At ${address}:`);
    for (const { rule, text, match, mismatches } of steps) {
      const says = { yes: "matches", no: "does not match", unknown: "depends on the address" }[match];
      lines.push(`  rule ${rule} ${says}: ${text}`, ...mismatches.map((each) => `    ${each}`));
    }
  }
  const where = addresses.length === 0 ? "" : ` (${addresses.map((each) => at(each, port)).join(", ")})`;
  return `${lines.join("\n")}\n\n${decision}: ${reason}${where}\n`;
}

function at(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

export function destinationOf(host: string, port: number): Endpoint {
  return { host: parseHost(host), port };
}
