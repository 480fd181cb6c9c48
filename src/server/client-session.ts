/** One client from its TCP connection on: the TLS handshake, where the listener has one, then what it says inside. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Socks4Policy } from "../auth/socks4-identity.js";
import { GssocksError, NetworkError, PeerError } from "../errors.js";
import { reset } from "../relay/cut-off.js";
import type { AuthServices } from "./authentication.js";
import { type ClientDirectory, ClientFacts } from "./client-facts.js";
import { Connection } from "./connection.js";
import { sayFarewell } from "./farewell.js";
import { firstOctet, isHttp } from "./first-octet.js";
import { HttpConnection, type HttpOptions } from "./http-connection.js";
import { type MethodPolicy, methodsFor } from "./methods.js";
import { NO_OCTETS } from "./octets.js";
import { sessionFailed } from "./session-failed.js";
import type { SessionInfo } from "./session-info.js";
import { outcome, type SessionRecord } from "./session-record.js";
import type { Progress } from "./sessions.js";
import type { TlsAcceptor } from "./tls-acceptor.js";

export interface ClientSessionOptions extends HttpOptions {
  /** As the configuration has it, `address:port`. */
  listener: string;
  directory: ClientDirectory;
  services: AuthServices;
  policy: MethodPolicy;
  socks4: Socks4Policy | null;
  /** Take HTTP beside SOCKS. */
  http: boolean;
}

export class ClientSession {
  /** Resolves when the session is over and its audit record is out. Never rejects. */
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #record: SessionRecord;
  readonly #options: ClientSessionOptions;
  #connection: Connection | HttpConnection | null = null;
  #failure: GssocksError | null = null;
  #over = false;

  constructor(socket: Socket, record: SessionRecord, tls: TlsAcceptor | null, options: ClientSessionOptions) {
    this.#socket = socket;
    this.#record = record;
    this.#options = options;
    if (tls !== null) record.enter("tls");
    this.done = tls === null ? this.#connect(socket, null, options.timeouts.handshake) : this.#secure(tls);
  }

  get progress(): Progress | null {
    if (this.#connection !== null) return this.#connection.progress;
    return this.#over ? null : { state: "handshake", level: null, ...NO_OCTETS };
  }

  get info(): SessionInfo | null {
    if (this.#connection instanceof HttpConnection) return this.#connection.info;
    const { progress } = this;
    return progress === null ? null : this.#record.info(progress);
  }

  /** Nothing is judged before there is a connection. */
  async judgeAgain(): Promise<boolean> {
    const denial = (await this.#connection?.judgeAgain()) ?? null;
    if (denial !== null) this.abort(denial);
    return denial !== null;
  }

  /** What is under way goes on, but nothing further begins. */
  retire(): void {
    if (this.#connection instanceof HttpConnection) this.#connection.retire();
  }

  /** Ends the session at once. */
  abort(error: GssocksError): void {
    if (this.#connection !== null) return this.#connection.abort(error);
    this.#failure ??= error;
    reset(this.#socket);
  }

  /** By what it says first, where there is more than one protocol. */
  async #greet(socket: Socket, tls: TlsAcceptor | null, handshake: number): Promise<void> {
    const began = performance.now();
    this.#record.enter("method");
    try {
      const octet = await firstOctet(socket, handshake);
      const left = Math.max(1, Math.ceil(handshake - (performance.now() - began)));
      const done = this.#begin(socket, tls, left, isHttp(octet));
      socket.resume();
      await done;
    } catch (error) {
      socket.on("error", () => {});
      this.#tell("method selection", this.#failure ?? asError(error));
      sayFarewell(socket);
      if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
    }
  }

  #connect(socket: Socket, tls: TlsAcceptor | null, handshake: number): Promise<void> {
    if (this.#options.http) return this.#greet(socket, tls, handshake);
    this.#record.enter("method");
    return this.#begin(socket, tls, handshake, false);
  }

  #begin(socket: Socket, tls: TlsAcceptor | null, handshake: number, http: boolean): Promise<void> {
    const { services, policy, socks4, listener } = this.#options;
    const { source: address } = this.#record.origin;
    const secured = tls === null ? null : (socket as TLSSocket);
    const certified = secured === null ? null : (tls?.identity(secured) ?? null);
    const methods = methodsFor(policy, address, certified !== null);
    const tlsSubject = secured === null ? null : (tls?.subject(secured) ?? null);
    const bindings = secured === null || tls === null ? null : () => tls.bindings(secured);
    const arrival = { address, listener, tls: secured !== null, tlsSubject };
    const facts = () => new ClientFacts(arrival, this.#options);
    const auth = { services, methods, socks4, certified, bindings, source: address };
    this.#connection = http
      ? new HttpConnection(socket, this.#record, auth, facts, handshake, this.#options)
      : new Connection(socket, this.#record, auth, facts(), handshake, this.#options);
    return this.#connection.done;
  }

  /** Both handshakes together have the time of one. */
  async #secure(tls: TlsAcceptor): Promise<void> {
    const { handshake } = this.#options.timeouts;
    const began = performance.now();
    const late = new NetworkError(
      "HANDSHAKE_TIMEOUT",
      `the handshake took longer than ${handshake / 1000} s`,
    );
    const deadline = setTimeout(() => this.abort(late), handshake);
    this.#socket.on("error", () => {});
    try {
      const secured = await tls.accept(this.#socket).finally(() => clearTimeout(deadline));
      await this.#connect(secured, tls, Math.max(1, handshake - (performance.now() - began)));
    } catch (error) {
      this.#socket.destroy();
      this.#tell("TLS handshake", this.#failure ?? asError(error));
    }
  }

  #tell(step: string, error: GssocksError): void {
    const { observer } = this.#options;
    const { subject } = this.#record;
    this.#over = true;
    this.#record.handshake(outcome(error), null, observer);
    observer(sessionFailed(subject, step, error));
    observer({ type: "session-closed", record: this.#record.close(error, NO_OCTETS) });
  }
}

function asError(error: unknown): GssocksError {
  if (error instanceof GssocksError) return error;
  return new PeerError("TLS_HANDSHAKE", `the TLS handshake failed: ${(error as Error).message}`, {
    cause: error,
  });
}
