/** The SOCKS server: listeners, the credential they share, and the sessions that come of them. */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { GssapiMethod, type GssapiMethodOptions } from "../auth/gssapi.js";
import { GssocksError } from "../errors.js";
import type { Observer } from "../observability/events.js";
import { ownListenerTest } from "../policy/protected-destinations.js";
import type { Rule } from "../policy/rule.js";
import { Ruleset } from "../policy/ruleset.js";
import { formatEndpoint, parseHost } from "../protocol/address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { reset } from "../relay/cut-off.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import { Limits, type SessionLimits } from "./limits.js";
import { Listener, type ListenerAddress } from "./listener.js";
import { SessionRecord } from "./session-record.js";
import { Sessions } from "./sessions.js";

export interface ListenerOptions extends ListenerAddress {
  /** Best first. */
  protectionLevels: readonly AgreedLevel[];
  nec: boolean;
}

export interface ServerOptions {
  listeners: readonly ListenerOptions[];
  gssapi: GssapiMethodOptions;
  rules: readonly Rule[];
  limits: SessionLimits;
  /** Milliseconds; Infinity for no limit. */
  timeouts: ConnectionOptions["timeouts"];
}

export class Server {
  readonly #options: ServerOptions;
  readonly #observer: Observer;
  readonly #limits: Limits;
  readonly #ruleset: Ruleset;
  readonly #sessions = new Sessions();
  readonly #listeners: Listener[] = [];
  #method: GssapiMethod | null = null;

  constructor(options: ServerOptions, observer: Observer) {
    this.#options = options;
    this.#observer = observer;
    this.#limits = new Limits(options.limits);
    const bound = () => this.#listeners.map((listener) => listener.bound);
    this.#ruleset = new Ruleset(options.rules, ownListenerTest(bound, localAddresses));
  }

  /** The bound addresses, `address:port`, in the configuration's order. */
  get addresses(): string[] {
    return this.#listeners.map(String);
  }

  /**
   * Acquires the acceptor's credential and opens the listeners.
   * @throws GssError (keytab), NetworkError (CANNOT_LISTEN); nothing stays open then
   */
  async start(): Promise<void> {
    const method = await GssapiMethod.create(this.#options.gssapi);
    this.#method = method;
    try {
      for (const options of this.#options.listeners) {
        const listener: Listener = await Listener.open(options, (socket) =>
          this.#accept(socket, String(listener), options),
        );
        this.#listeners.push(listener);
        this.#observer({ type: "listening", address: String(listener), port: listener.bound.port });
      }
    } catch (error) {
      this.#closeListeners();
      method.close();
      throw error;
    }
  }

  /**
   * Takes no further connections, lets the open sessions end, and closes those that are left.
   * @param drain milliseconds the sessions have
   */
  async stop(drain: number): Promise<void> {
    this.#closeListeners();
    this.#observer({ type: "draining", sessions: this.#sessions.size });
    await this.#sessions.drain(drain, STOPPED);
    this.#method?.close();
    this.#observer({ type: "stopped" });
  }

  /** Ends the sessions that a `stop` under way still waits for. */
  abort(): void {
    this.#sessions.abortAll(STOPPED);
  }

  #closeListeners(): void {
    for (const listener of this.#listeners) listener.close();
  }

  #accept(socket: Socket, listener: string, options: ListenerOptions): void {
    const { remoteAddress, remotePort = 0 } = socket;
    // Gone before we looked.
    if (remoteAddress === undefined) return void socket.destroy();
    const host = parseHost(remoteAddress);
    const client = formatEndpoint({ host, port: remotePort });
    const source = host.kind === "domain" ? host.name : host.address;
    const refusal = this.#limits.acquire(source);
    if (refusal !== null) {
      this.#observer({ type: "connection-refused", client, code: "TOO_MANY_SESSIONS", reason: refusal });
      return reset(socket);
    }
    const record = new SessionRecord(randomBytes(8).toString("hex"), client, listener);
    this.#observer({ type: "session-opened", subject: record.subject, listener });
    const connection = new Connection(socket, record, {
      method: this.#method as GssapiMethod,
      levels: options.protectionLevels,
      nec: options.nec,
      ruleset: this.#ruleset,
      timeouts: this.#options.timeouts,
      observer: this.#observer,
    });
    this.#sessions.add(connection);
    void connection.done.then(() => this.#limits.release(source));
  }
}

/** Nobody is at fault. */
class ShutdownError extends GssocksError {}

const STOPPED = new ShutdownError("SERVER_STOPPED", "the server stopped");

function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));
}
