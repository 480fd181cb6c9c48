/** What came of a request, as the audit trail has it. */
import { GssocksError, PolicyError } from "../errors.js";
import type { AuditDecision } from "../observability/events.js";
import type { Endpoint } from "../protocol/address.js";
import { type Authorized, DeniedError } from "./authorize.js";

/**
 * What was asked for and what came of it; null: an association, of which nothing is decided as yet. `untold`: others since
 * the last that was told of.
 */
export type Decided = [dst: Endpoint, outcome: Authorized | GssocksError | null, untold?: number];

export function judgement(
  outcome: Decided[1],
): Pick<AuditDecision, "decision" | "addresses" | "rule" | "code" | "reason"> {
  if (outcome === null) {
    const reason = "each destination is judged when it is sent to";
    return { decision: "allow", addresses: [], rule: null, code: null, reason };
  }
  if (outcome instanceof GssocksError) {
    const { code, message: reason } = outcome;
    const decision = outcome instanceof PolicyError ? "deny" : null;
    const rule = outcome instanceof DeniedError ? outcome.decision.rule : null;
    return { decision, addresses: [], rule, code, reason };
  }
  const { rule, reason } = outcome.decision;
  return { decision: "allow", addresses: [...outcome.addresses.keys()], rule, code: null, reason };
}
