/** Other proxies, which are asked to connect in our place. Whoever wires the program knows how they are spoken to. */
import type { Socket } from "node:net";
import { PolicyError } from "../errors.js";
import type { Credential } from "../gss/credential.js";
import type { CommandName } from "../policy/facts.js";
import type { Endpoint } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";
import type { MessageProtection } from "../relay/message-protection.js";

/** For whom, and how long it is of use. */
export interface UpstreamAsking {
  /** What the client has delegated to us; null for nothing. Stays the session's. */
  readonly delegated: Credential | null;
  /** Proxies that the client has come through. */
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
  /** Of the upstream's reply. */
  readonly bnd: Endpoint;
  /** Frees what protects it; the socket is left alone. Idempotent. */
  close(): void;
}

export interface Upstreams {
  /**
   * @param name of the configuration
   * @throws GssocksError with the REP to pass on
   */
  connect(name: string, dst: Endpoint, asking: UpstreamAsking): Promise<Through>;
  /** Idempotent. What goes through them stays open. */
  close(): void;
}

/** A command that no upstream is asked for. */
export class NotThroughError extends PolicyError {
  constructor(command: CommandName, name: string) {
    const message = `${command} does not go through the upstream ${name}`;
    super("NOT_THROUGH_UPSTREAM", message, { rep: REP.COMMAND_NOT_SUPPORTED });
  }
}

export const NO_UPSTREAMS: Upstreams = {
  connect: (name) => Promise.reject(new PolicyError("NO_UPSTREAM", `there is no upstream ${name}`)),
  close: () => {},
};
