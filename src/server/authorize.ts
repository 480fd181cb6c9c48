import { PolicyError } from "../errors.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import type { Decision } from "../policy/decision.js";
import type { Ruleset } from "../policy/ruleset.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";

/** Addresses that may be dialed, best first, each with the decision that allows it. */
export type Authorized = ReadonlyMap<string, Decision>;

/** A rule, or the absence of one, denies the destination. */
export class DeniedError extends PolicyError {
  readonly decision: Decision;

  constructor(dst: Endpoint, decision: Decision) {
    super("RULE_DENIED", `${formatEndpoint(dst)} is denied: ${decision.reason}`, { rep: REP.NOT_ALLOWED });
    this.decision = decision;
  }
}

/** A name's addresses, on behalf of the client. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/**
 * Judges a destination: by name before any DNS query leaves, then by each address it resolves to, so that a name can't
 * lead to a denied network. Answers that the resolver kept are judged like any other.
 * @throws DeniedError, NetworkError (the name does not resolve)
 */
export async function authorize(
  ruleset: Ruleset,
  dst: Endpoint,
  method: AuthMethodName,
  resolve: Resolve,
): Promise<Authorized> {
  const { host, port } = dst;
  const name = host.kind === "domain" ? host.name : null;
  if (name !== null) {
    const decision = ruleset.evaluateName({ name, port, method });
    if (decision.effect === "deny") throw new DeniedError(dst, decision);
  }
  const addresses = host.kind === "domain" ? await resolve(host.name) : [host.address];
  const { allowed, denial } = ruleset.permitted({ name, port, method }, addresses);
  if (denial !== null) throw new DeniedError(dst, denial);
  return new Map(allowed.map(({ address, decision }) => [address, decision]));
}
