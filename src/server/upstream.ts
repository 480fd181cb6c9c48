/** Other proxies, which are asked to connect in our place. Whoever wires the program knows how they are spoken to. */
import type { Socket } from "node:net";
import type { Delegated } from "../auth/gssapi.js";
import { type GssocksError, PolicyError } from "../errors.js";
import type { Endpoint } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";
import type { MessageProtection } from "../relay/message-protection.js";
import type { DatagramChannel, Heard } from "../relay/udp-upstreams.js";
import type { TicketInfo, UpstreamInfo } from "./upstream-info.js";

/** For whom, and how long it is of use. */
export interface UpstreamAsking {
  /** What is in it stays the session's. */
  readonly delegated: Delegated;
  /** Proxies of ours that the client has come through before this one. */
  readonly hops: number;
  /** Of the session's end. */
  readonly signal: AbortSignal;
}

/** A connection through an upstream, after its reply. All of it is the caller's. */
export interface Through {
  /** Paused. */
  readonly socket: Socket;
  readonly protection: MessageProtection;
  /** Plain octets that are here already. */
  readonly early: Buffer;
  /** Of the upstream's last reply. */
  readonly bnd: Endpoint;
  /** Says where it is told, at any time, what plain octets have been carried. */
  carries(carried: () => { up: number; down: number }): void;
  /** Frees what protects it; the socket is left alone. Idempotent. */
  close(): void;
}

/** A port of an upstream's, where one peer may connect. */
export interface ThroughBound {
  readonly bnd: Endpoint;
  readonly peer: Promise<Through>;
  /** Ends the wait. Idempotent. */
  close(): void;
}

/** Each throws a GssocksError with the REP to pass on. `name` is the configuration's. */
export interface Upstreams {
  connect(name: string, dst: Endpoint, asking: UpstreamAsking): Promise<Through>;
  bind(name: string, dst: Endpoint, asking: UpstreamAsking): Promise<ThroughBound>;
  associate(name: string, asking: UpstreamAsking, heard: Heard): Promise<DatagramChannel>;
  /** All but their tickets. */
  status(): Omit<UpstreamInfo, "ticket">[];
  /** Of one of them; null where it has none. May take its time. Never rejects. */
  ticket(name: string): Promise<TicketInfo | null>;
  /** Idempotent. What goes through them stays open. */
  close(): void;
}

/** As they are now, with their tickets. */
export function listUpstreams(upstreams: Upstreams): Promise<UpstreamInfo[]> {
  const all = upstreams.status();
  return Promise.all(all.map(async (each) => ({ ...each, ticket: await upstreams.ticket(each.upstream) })));
}

/** The upstream wants what the client has not given us. */
export class NotDelegatedError extends PolicyError {
  constructor(name: string, text: string) {
    super("NOT_DELEGATED", `the upstream ${name} takes ${text}`, { rep: REP.NOT_ALLOWED });
  }

  /** It has to be a ticket-granting ticket. */
  static nothing(name: string): NotDelegatedError {
    const remedy = "it needs a forwardable ticket (kinit -f) and a client that delegates it";
    return new NotDelegatedError(name, `the client's own ticket, and none was delegated: ${remedy}`);
  }

  /** A ticket to ourselves would do, where the KDC lets us act in the client's place. @param failure why it does not */
  static noEvidence(name: string, failure: GssocksError | null): NotDelegatedError {
    const reason =
      failure === null
        ? "this client has shown none: it needs the method gssapi, with Kerberos"
        : `we have none to act in its place with: ${failure.message}`;
    return new NotDelegatedError(name, `a ticket of the client's, and ${reason}`);
  }
}

const none = (name: string) => Promise.reject(new PolicyError("NO_UPSTREAM", `there is no upstream ${name}`));

export const NO_UPSTREAMS: Upstreams = {
  connect: none,
  bind: none,
  associate: none,
  status: () => [],
  ticket: async () => null,
  close: () => {},
};
