/** What CONNECT or BIND may reach, or has reached, and by which rules: to be judged again when those change. */
import { isDeepStrictEqual } from "node:util";
import { PolicyError } from "../errors.js";
import type { Decision } from "../policy/decision.js";
import type { Ruleset } from "../policy/ruleset.js";
import type { Redirect } from "../policy/terms.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";
import type { Way } from "../relay/udp-destinations.js";
import { type Asker, type Authorized, authorize, DeniedError, type Resolve } from "./authorize.js";

export interface Grant {
  /** What was asked for. */
  readonly dst: Endpoint;
  readonly ruleset: Ruleset;
  readonly asker: Asker;
  readonly addresses: readonly string[];
  readonly port: number;
  /** That a rule wanted, and which no rule has judged. */
  readonly redirect: Redirect | null;
  /** The upstream that was asked. */
  readonly via: string | null;
}

export function grantOf(
  dst: Endpoint,
  ruleset: Ruleset,
  asker: Asker,
  { decision: { terms }, addresses, port }: Authorized,
): Grant {
  return {
    dst,
    ruleset,
    asker,
    addresses: [...addresses.keys()],
    port,
    redirect: terms.redirect,
    via: terms.via,
  };
}

/** The rules have changed, and deny what they allowed. */
export class RulesChangedError extends PolicyError {
  constructor(dst: Endpoint, { reason }: Decision) {
    const message = `the rules have changed: ${formatEndpoint(dst)} is denied: ${reason}`;
    super("RULES_CHANGED", message, { rep: REP.NOT_ALLOWED });
  }
}

/** Why `dst` may not be reached at `address`, which it was found at before; null where it may. */
export function denialOf(
  ruleset: Ruleset,
  { host, port }: Endpoint,
  asker: Asker,
  address: string,
): Decision | null {
  const name = host.kind === "domain" ? host.name : null;
  const request = { ...asker, port };
  const byName = name === null ? null : ruleset.evaluateName({ ...request, name });
  if (byName?.effect === "deny") return byName;
  const decision = ruleset.evaluate({ ...request, name, address });
  return decision.effect === "deny" ? decision : null;
}

/** Whether datagrams to `dst` may go on the way that they went; of a name that an upstream is told, what is known of it. */
export function allows(ruleset: Ruleset, dst: Endpoint, asker: Asker, way: Way): boolean {
  if (typeof way === "string") return denialOf(ruleset, dst, asker, way) === null;
  const { host, port } = dst;
  if (host.kind !== "domain") return denialOf(ruleset, dst, asker, host.address) === null;
  return ruleset.evaluateName({ ...asker, name: host.name, port }).effect !== "deny";
}

/**
 * A destination that a rule had replaced stays while the rules replace it with the same one, or allow what they led to; one
 * that an upstream connects to, while they allow it. What can't be found out, for a name does not resolve any more, denies
 * nothing.
 */
export async function elsewhereDenial(
  { dst, addresses, port, redirect, via }: Grant,
  ruleset: Ruleset,
  asker: Asker,
  resolve: Resolve,
): Promise<Decision | null> {
  try {
    const { decision } = await authorize(ruleset, dst, asker, resolve);
    if (via !== null || isDeepStrictEqual(decision.terms.redirect, redirect)) return null;
  } catch (error) {
    return error instanceof DeniedError ? error.decision : null;
  }
  return firstDenial({ dst: { ...dst, port }, addresses }, ruleset, asker);
}

export function firstDenial(
  { dst, addresses }: Pick<Grant, "dst" | "addresses">,
  ruleset: Ruleset,
  asker: Asker,
): Decision | null {
  for (const address of addresses) {
    const denial = denialOf(ruleset, dst, asker, address);
    if (denial !== null) return denial;
  }
  return null;
}
