import type { AuditSession } from "../observability/events.js";
import type { Carried } from "../relay/carrier.js";

/** What a session has carried. */
export type Octets = Pick<AuditSession, "bytesUp" | "bytesDown" | "sealedUp" | "sealedDown">;

export const NO_OCTETS: Octets = { bytesUp: 0, bytesDown: 0, sealedUp: 0, sealedDown: 0 };

/** @param protections of the stream and of datagrams */
export function octetsOf(
  carrying: { readonly carried: Carried } | null,
  protections: readonly ({ readonly counters: { opened: number; sealed: number } } | null)[],
): Octets {
  const { up, down, sealedUp = 0, sealedDown = 0 } = carrying?.carried ?? { up: 0, down: 0 };
  const octets = { bytesUp: up, bytesDown: down, sealedUp, sealedDown };
  for (const each of protections) {
    octets.sealedUp += each?.counters.opened ?? 0;
    octets.sealedDown += each?.counters.sealed ?? 0;
  }
  return octets;
}
