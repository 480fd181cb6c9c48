/** One session of an HTTP client: from its request's head, or the first of those that say who it is, to its audit record. */
import type { Socket } from "node:net";
import type { Identity } from "../auth/identity.js";
import type { GssocksError } from "../errors.js";
import type { AuditSession } from "../observability/events.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { CMD, REP } from "../protocol/constants.js";
import type { Carrier } from "../relay/carrier.js";
import { CLEAR_DATAGRAMS } from "../relay/datagram-protection.js";
import type { ClientFacts } from "./client-facts.js";
import { Command, commandName } from "./command.js";
import type { ConnectionOptions } from "./connection.js";
import { Deadline } from "./deadline.js";
import { octetsOf } from "./octets.js";
import { sessionFailed } from "./session-failed.js";
import { outcome, type SessionRecord } from "./session-record.js";
import type { Progress } from "./sessions.js";
import type { UpstreamAsking } from "./upstream.js";

/** Who asks for a destination. */
export interface Asker extends Pick<UpstreamAsking, "hops" | "delegated"> {
  readonly identity: Identity;
}

export class HttpSession {
  readonly record: SessionRecord;
  readonly command: Command;
  readonly #facts: ClientFacts;
  readonly #options: ConnectionOptions;
  readonly #deadline = new Deadline((error) => this.fail(error));
  #state: Progress["state"] = "handshake";
  /** Of the protocol, in words. */
  #step = "HTTP request";
  #waiting: AbortController | null = null;
  #fail: ((error: GssocksError) => void) | null = null;
  #carrier: Carrier | null = null;
  #closed = false;

  constructor(socket: Socket, record: SessionRecord, facts: ClientFacts, options: ConnectionOptions) {
    this.record = record;
    this.#facts = facts;
    this.#options = options;
    this.command = new Command(socket, record, options);
  }

  get progress(): Progress | null {
    if (this.#closed) return null;
    return { state: this.#state, level: this.record.known.level, ...this.#octets };
  }

  async judgeAgain(): Promise<GssocksError | null> {
    const denial = await this.command.judgeAgain();
    return this.#closed ? null : denial;
  }

  /** @returns whether something was under way that fails now, and tells so to whoever waits for it */
  fail(error: GssocksError): boolean {
    const fail = this.#fail ?? this.#carrier?.abort.bind(this.#carrier);
    fail?.(error);
    return fail !== undefined;
  }

  authenticating(): void {
    this.#step = "authentication";
    this.record.enter("authentication");
  }

  identified(identity: Identity): void {
    const { record } = this;
    record.identified(identity);
    // HTTP has no protection of its own; what TLS gives is not RFC 1961's.
    if (identity.method === "gssapi") record.known.level = "none";
    this.#options.observer({ type: "authenticated", subject: record.subject, identity });
  }

  /** The destination's socket is the command's then. @throws GssocksError */
  async open(dst: Endpoint, { identity, hops, delegated }: Asker): Promise<void> {
    const { observer, timeouts } = this.#options;
    const { subject, known } = this.record;
    known.command = commandName(CMD.CONNECT);
    known.destination = formatEndpoint(dst);
    observer({ type: "request", subject, command: known.command, destination: known.destination });
    this.#state = "request";
    this.#step = "reply";
    this.record.enter("decision");
    this.#tellHandshake("completed", identity.method);
    const late = "the destination did not answer within";
    this.#deadline.set(timeouts.connect, "CONNECT_TIMEOUT", late, REP.TTL_EXPIRED);
    try {
      const failed = new Promise<never>((_, reject) => {
        this.#fail = reject;
      });
      const asking = {
        method: identity.method,
        client: () => this.#facts.of(identity, "none" as const),
        datagrams: () => CLEAR_DATAGRAMS,
        reply: () => {},
        signal: () => this.#ending(),
        hops,
        delegated: () => delegated,
      };
      await Promise.race([this.command.carryOut(CMD.CONNECT, dst, asking), failed]);
      known.rep = REP.SUCCEEDED;
    } finally {
      this.#fail = null;
      this.#deadline.clear();
    }
  }

  /** The client is answered, and its octets are carried from here on. @returns what {@link Carrier.done} gives */
  carriedBy(carrier: Carrier): Promise<GssocksError | null> {
    this.#state = "relay";
    this.#step = "relay";
    this.record.enter("relay");
    this.record.relaying(this.#options.observer);
    this.#carrier = carrier;
    this.command.carriedBy(carrier);
    return carrier.done;
  }

  /**
   * Idempotent.
   * @param error null where all ended in good order
   * @param tried by which method the client was to be let in, where it was not
   */
  finish(error: GssocksError | null, tried: AuthMethodName | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline.clear();
    this.#waiting?.abort();
    this.command.close(this.#carrier === null);
    const { observer } = this.#options;
    const { record } = this;
    this.#tellHandshake(outcome(error), tried);
    if (error !== null) observer(sessionFailed(record.subject, this.#step, error));
    if (error !== null && this.#state === "request") record.known.rep = error.rep;
    observer({ type: "session-closed", record: record.close(error, this.#octets) });
  }

  get #octets() {
    return octetsOf(this.#carrier, []);
  }

  #ending(): AbortSignal {
    this.#waiting ??= new AbortController();
    if (this.#closed) this.#waiting.abort();
    return this.#waiting.signal;
  }

  #tellHandshake(told: AuditSession["outcome"], tried: AuthMethodName | null): void {
    this.record.handshake(told, tried, this.#options.observer);
  }
}
