import { isIPv6 } from "node:net";
import { NetworkError, PolicyError } from "../errors.js";
import type { Decision } from "../policy/decision.js";
import type { PolicyRequest } from "../policy/facts.js";
import type { Ruleset, Trace } from "../policy/ruleset.js";
import type { Redirect, Severity } from "../policy/terms.js";
import { type Endpoint, formatEndpoint, parseHost } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";

/** Who asks, for what and when. */
export type Asker = Pick<PolicyRequest, "client" | "command" | "time">;

/** Where to go, and why that may be. */
export interface Authorized {
  /** The best of them. */
  readonly decision: Decision;
  /** Addresses that may be dialed, best first, each with the decision that allows it; none where an upstream dials. */
  readonly addresses: ReadonlyMap<string, Decision>;
  /** The one that was asked for, or what a rule wants in its place. */
  readonly port: number;
  /** Who is to connect in our place, and what to. */
  readonly upstream: { readonly name: string; readonly dst: Endpoint } | null;
}

/** A rule, or the absence of one, denies the destination. */
export class DeniedError extends PolicyError {
  readonly decision: Decision;

  constructor(dst: Endpoint, decision: Decision) {
    super("RULE_DENIED", `${formatEndpoint(dst)} is denied: ${decision.reason}`, { rep: REP.NOT_ALLOWED });
    this.decision = decision;
  }
}

/** The rule that allows the destination wants source addresses, and has none of its family. */
export class NoSourceError extends NetworkError {
  readonly decision: Decision;

  constructor(addresses: readonly string[], decision: Decision) {
    const message = `rule ${decision.rule} has no source address (sourceAddresses) for ${addresses.join(", ")}`;
    super("NO_SOURCE_ADDRESS", message, { rep: REP.NETWORK_UNREACHABLE });
    this.decision = decision;
  }
}

/** A name's addresses, on behalf of the client. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** What the rule that denies wants the log's line to have; null where it does not say, or none denies. */
export function severityOf(error: unknown): Severity | null {
  return error instanceof DeniedError ? error.decision.terms.severity : null;
}

/**
 * Judges a destination: by name before any DNS query leaves, then by each address it resolves to, so that a name can't
 * lead to a denied network. Answers that the resolver kept are judged like any other. What is dialed are the addresses
 * that were judged; no name is looked up twice.
 * @throws DeniedError, NoSourceError, NetworkError (the name does not resolve)
 */
export async function authorize(
  ruleset: Ruleset,
  dst: Endpoint,
  asker: Asker,
  resolve: Resolve,
  trace?: Trace,
): Promise<Authorized> {
  const { host, port } = dst;
  const name = host.kind === "domain" ? host.name : null;
  const { client, command, time } = asker;
  if (name !== null) {
    const decision = ruleset.evaluateName({ client, command, time, name, port }, trace);
    if (decision.effect === "deny") throw new DeniedError(dst, decision);
    if (decision.effect === "allow") {
      const { redirect } = decision.terms;
      return redirect === null ? led(dst, decision) : redirected(redirect, port, decision, resolve);
    }
  }
  const addresses = host.kind === "domain" ? await resolve(host.name) : [host.address];
  const { allowed, denial } = ruleset.permitted({ client, command, time, name, port }, addresses, trace);
  const [first] = allowed;
  if (first === undefined) throw new DeniedError(dst, denial as Decision);
  const { redirect, via } = first.decision.terms;
  if (redirect !== null) return redirected(redirect, port, first.decision, resolve);
  // The address that was judged: what the name means elsewhere is not known here.
  if (via !== null) return led({ host: parseHost(first.address), port }, first.decision);
  const direct = allowed.filter(({ decision: { terms } }) => terms.redirect === null && terms.via === null);
  return dialed(
    direct.map(({ address, decision }) => [address, decision]),
    port,
  );
}

/** By the upstream of the rule, which is told what is asked for. */
function led(dst: Endpoint, decision: Decision): Authorized {
  const upstream = { name: decision.terms.via as string, dst };
  return { decision, addresses: new Map(), port: dst.port, upstream };
}

function dialed(ways: readonly (readonly [string, Decision])[], port: number): Authorized {
  const addresses = withSources(ways);
  const [decision] = addresses.values();
  return { decision: decision as Decision, addresses, port, upstream: null };
}

/** Where a rule leads instead, which is not judged. */
async function redirected(
  { host, port }: Redirect,
  asked: number,
  decision: Decision,
  resolve: Resolve,
): Promise<Authorized> {
  const target = parseHost(host);
  if (decision.terms.via !== null) return led({ host: target, port: port ?? asked }, decision);
  const addresses = target.kind === "domain" ? await resolve(target.name) : [target.address];
  return dialed(
    addresses.map((address) => [address, decision]),
    port ?? asked,
  );
}

/** Those to which there is a way from an address of ours that the rule names. */
function withSources(ways: readonly (readonly [string, Decision])[]): ReadonlyMap<string, Decision> {
  const left = ways.filter(
    ([address, { terms }]) =>
      terms.sourceAddresses === null || sourceFor(address, terms.sourceAddresses) !== null,
  );
  const [first] = ways;
  if (left.length > 0 || first === undefined) return new Map(left);
  throw new NoSourceError(
    ways.map(([address]) => address),
    first[1],
  );
}

/** The one of `sources` that is of the family of `address`. */
export function sourceFor(address: string, sources: readonly string[]): string | null {
  return sources.find((source) => isIPv6(source) === isIPv6(address)) ?? null;
}
