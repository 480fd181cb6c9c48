/** The SOCKS server: listeners, what they share, and the sessions that come of them. */
import type { Socket } from "node:net";
import type { GroupSource } from "../auth/group-sources.js";
import { GssapiMethod, type GssapiMethodOptions } from "../auth/gssapi.js";
import { IdentClient, type IdentClientOptions } from "../auth/ident-client.js";
import type { PasswordBackend } from "../auth/password-backend.js";
import type { Socks4Policy } from "../auth/socks4-identity.js";
import { PasswordMethod } from "../auth/username-password.js";
import type { SessionLimits } from "../config/limits.js";
import { GssocksError } from "../errors.js";
import { FastContext } from "../gss/fast-context.js";
import type { AuditGate, Observer } from "../observability/events.js";
import { ownListenerTest } from "../policy/protected-destinations.js";
import type { Rule } from "../policy/rule.js";
import { Ruleset } from "../policy/ruleset.js";
import { formatEndpoint, parseHost, plainAddress } from "../protocol/address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { reset } from "../relay/cut-off.js";
import { Resolver } from "../relay/resolver.js";
import { Accounts } from "./accounts.js";
import type { AuthServices } from "./authentication.js";
import { ClientSession, type ClientSessionOptions } from "./client-session.js";
import type { CommandSettings } from "./command.js";
import type { ConnectionOptions } from "./connection.js";
import { Directory } from "./directory.js";
import { IdentdSocket, type IdentdSocketOptions } from "./identd-socket.js";
import { Limits } from "./limits.js";
import { Listener, type ListenerAddress, type ListeningSocket } from "./listener.js";
import { localAddresses } from "./local-addresses.js";
import type { MethodName, MethodPolicy } from "./methods.js";
import { type FindOwner, OutgoingConnections } from "./outgoing.js";
import { Penalties, type PenaltyOptions } from "./penalties.js";
import { RateBook } from "./rate-book.js";
import { newSessionId } from "./session-id.js";
import { SessionQuota } from "./session-quota.js";
import { SessionRecord } from "./session-record.js";
import { type Progress, Sessions } from "./sessions.js";
import { localCounts, type SharedCounts } from "./shared-counts.js";
import { TlsAcceptor, type TlsOptions } from "./tls-acceptor.js";

export interface ListenerOptions extends ListenerAddress, MethodPolicy {
  /** Best first. */
  protectionLevels: readonly AgreedLevel[];
  nec: boolean;
  /** null: SOCKS4 is not taken. */
  socks4: Socks4Policy | null;
  /** null: TCP alone. */
  tls: TlsOptions | null;
}

export interface ServerOptions extends CommandSettings {
  listeners: readonly ListenerOptions[];
  gssapi: GssapiMethodOptions;
  /** Protect what is relayed without the library's calls, where the context allows it. */
  fastPath: boolean;
  /** Opens what knows the passwords; null where no listener takes any. */
  passwords: (() => Promise<PasswordBackend>) | null;
  ident: IdentClientOptions;
  /** Opens what knows clients' groups, and how old its answers may be, in ms; null where no rule asks. */
  groups: { open: () => Promise<readonly GroupSource[]>; maxAge: number } | null;
  /** Where `gssocks identd` asks us; null for nowhere. */
  identd: IdentdSocketOptions | null;
  rules: readonly Rule[];
  /** Those of this process beside `listeners`: protected destinations as they are. */
  ownListeners?: () => readonly Listener["bound"][];
  limits: SessionLimits;
  penalties: PenaltyOptions;
  /** Milliseconds; Infinity for no limit. */
  timeouts: ConnectionOptions["timeouts"];
}

export class Server {
  readonly #options: ServerOptions;
  readonly #observer: Observer;
  readonly #audit: AuditGate;
  readonly #counts: SharedCounts;
  readonly #limits: Limits;
  readonly #penalties: Penalties;
  readonly #ruleset: Ruleset;
  readonly #resolver = new Resolver();
  readonly #outgoing = new OutgoingConnections();
  readonly #sessions = new Sessions();
  readonly #listeners: Listener[] = [];
  readonly #tls: TlsAcceptor[] = [];
  #services: AuthServices = { gssapi: null, password: null, ident: null };
  #directory = new Directory({ sources: [], maxAge: 0 });
  #identd: IdentdSocket | null = null;
  #state: "starting" | "serving" | "draining" | "stopped" = "starting";

  /**
   * @param counts shared with other servers, where this one is not alone
   * @param audit has the word on who may pass; where absent, no record is waited for
   */
  constructor(
    options: ServerOptions,
    observer: Observer,
    counts = localCounts(),
    audit: AuditGate = NO_GATE,
  ) {
    this.#options = options;
    this.#observer = observer;
    this.#audit = audit;
    this.#counts = counts;
    this.#limits = new Limits(options.limits, {
      places: counts.places,
      rates: new RateBook(),
      accounts: new Accounts(),
    });
    this.#penalties = new Penalties(options.penalties, counts.places);
    const bound = () => [
      ...this.#listeners.map((listener) => listener.bound),
      ...(options.ownListeners?.() ?? []),
    ];
    this.#ruleset = new Ruleset(options.rules, ownListenerTest(bound, localAddresses));
  }

  /** The bound addresses, `address:port`, in the configuration's order. */
  get addresses(): string[] {
    return this.#listeners.map(String);
  }

  /**
   * Acquires what the listeners' methods need, and opens the listeners.
   * @param sockets that listen already, in the configuration's order
   * @throws GssError (keytab), NetworkError (CANNOT_LISTEN, TLS_FILES …); nothing stays open then
   */
  async start(sockets?: readonly ListeningSocket[]): Promise<void> {
    try {
      await this.#startServices();
      const { listeners, identd } = this.#options;
      if (identd !== null) this.#identd = await IdentdSocket.open(identd, this.findOwner);
      for (const [index, options] of listeners.entries()) await this.#listen(options, sockets?.[index]);
      this.#tellEngines();
      this.#state = "serving";
    } catch (error) {
      this.#closeListeners();
      this.#closeServices();
      throw error;
    }
  }

  /**
   * Finds out whether what the listeners' methods need is there, and tells of it, for others to serve.
   * @throws what {@link start} throws, but for the listeners themselves
   */
  async check(): Promise<void> {
    try {
      await this.#startServices();
      for (const { tls } of this.#options.listeners) if (tls !== null) new TlsAcceptor(tls, nothing).close();
      this.#tellEngines();
    } finally {
      this.#closeServices();
    }
  }

  #tellEngines(): void {
    const engines = this.#options.fastPath ? FastContext.engines() : [];
    if (this.#services.gssapi !== null) this.#observer({ type: "message-protection", engines });
  }

  async #startServices(): Promise<void> {
    const { listeners, gssapi, passwords, ident, groups } = this.#options;
    if (groups !== null)
      this.#directory = new Directory({ sources: await groups.open(), maxAge: groups.maxAge });
    const methods = new Set(listeners.flatMap(methodsOf));
    if (methods.has("gssapi")) this.#services.gssapi = await GssapiMethod.create(gssapi);
    if (methods.has("password") && passwords !== null) {
      this.#services.password = new PasswordMethod(await passwords(), { throttle: this.#counts.passwords });
    }
    if (listeners.some(({ socks4 }) => socks4?.identity === "ident"))
      this.#services.ident = new IdentClient(ident);
  }

  async #listen(options: ListenerOptions, socket: ListeningSocket | undefined): Promise<void> {
    const renewed = (failure: Error | null) =>
      this.#observer({ type: "renewed", listener: String(listener), reason: failure?.message ?? null });
    const tls = options.tls === null ? null : new TlsAcceptor(options.tls, renewed);
    if (tls !== null) this.#tls.push(tls);
    const sessions = this.#sessionOptions(options);
    const accept = (client: Socket) => void this.#accept(client, address, sessions, tls);
    const listener =
      socket === undefined ? await Listener.open(options, accept) : await Listener.share(socket, accept);
    const address = String(listener);
    this.#listeners.push(listener);
    this.#observer({ type: "listening", address, port: listener.bound.port });
  }

  /** What the sessions of one listener have in common. */
  #sessionOptions(listener: ListenerOptions): ClientSessionOptions {
    const { commands, bind, udp, timeouts, fastPath } = this.#options;
    return {
      listener: formatEndpoint({ host: parseHost(listener.host), port: listener.port }),
      directory: this.#directory,
      services: this.#services,
      policy: listener,
      socks4: listener.socks4,
      levels: listener.protectionLevels,
      nec: listener.nec,
      fastPath,
      ruleset: this.#ruleset,
      resolver: this.#resolver,
      commands: { commands, bind, udp },
      outgoing: this.#outgoing,
      limits: this.#limits,
      slowDown: (address, code) => this.#penalties.slowDown(plainAddress(address), code),
      timeouts,
      observer: this.#observer,
      audit: this.#audit,
    };
  }

  /** How many are open. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Of a connection that this server made. */
  readonly findOwner: FindOwner = async (local, remote) => this.#outgoing.find(local, remote);

  /**
   * Takes no further connections, lets the open sessions end, and closes those that are left.
   * @param drain milliseconds the sessions have
   */
  async stop(drain: number): Promise<void> {
    this.#state = "draining";
    this.#closeListeners();
    this.#observer({ type: "draining", sessions: this.#sessions.size });
    await this.#sessions.drain(drain, STOPPED);
    this.#closeServices();
    this.#state = "stopped";
    this.#observer({ type: "stopped" });
  }

  /** The open sessions. */
  get progress(): Progress[] {
    return this.#sessions.progress;
  }

  /** Why no client can be served, or none with a ticket; empty where they can. */
  async notReady(): Promise<string[]> {
    if (this.#state !== "serving") return [`the server is ${this.#state}`];
    const closed = this.#listeners.filter(({ open }) => !open);
    const reasons = closed.map((listener) => `${listener} does not listen`);
    const { full } = this.#audit;
    if (full !== null) reasons.push(full);
    await this.#services.gssapi?.check().catch((error: Error) => reasons.push(error.message));
    return reasons;
  }

  /** Ends the sessions that a `stop` under way still waits for. */
  abort(): void {
    this.#sessions.abortAll(STOPPED);
  }

  #closeListeners(): void {
    for (const listener of this.#listeners) listener.close();
  }

  #closeServices(): void {
    for (const tls of this.#tls) tls.close();
    this.#identd?.close();
    this.#services.gssapi?.close();
    this.#services.password?.close();
  }

  async #accept(
    socket: Socket,
    listener: string,
    options: ClientSessionOptions,
    tls: TlsAcceptor | null,
  ): Promise<void> {
    const { remoteAddress, remotePort = 0 } = socket;
    // Gone before we looked.
    if (remoteAddress === undefined) return void socket.destroy();
    const source = plainAddress(remoteAddress);
    const client = formatEndpoint({ host: parseHost(remoteAddress), port: remotePort });
    const { full } = this.#audit;
    if (full !== null) {
      this.#observer({
        type: "connection-refused",
        client,
        code: "AUDIT_FULL",
        reason: full,
        limit: "audit.queue",
      });
      return reset(socket);
    }
    // Nobody else listens to it as yet.
    socket.on("error", nothing);
    const quota = await this.#limits.begin(source, this.#penalties.bound(source));
    socket.off("error", nothing);
    if (!(quota instanceof SessionQuota)) {
      this.#observer({ type: "connection-refused", client, code: "LIMIT_REACHED", ...quota });
      return reset(socket);
    }
    // Either of us left while others were asked.
    if (socket.destroyed || this.#state === "draining" || this.#state === "stopped") {
      quota.end();
      return reset(socket);
    }
    const record = new SessionRecord(newSessionId(), client, listener, quota);
    record.onRefusal = (code) => this.#penalties.note(source, code);
    this.#observer({ type: "session-opened", subject: record.subject, listener });
    const session = new ClientSession(socket, record, tls, options);
    this.#sessions.add(session);
    // Its place is kept until its record finds room: so many sessions, so many records more than may wait.
    void session.done.then(() => this.#audit.room()).then(() => quota.end());
  }
}

const NO_GATE: AuditGate = { full: null, written: async () => {}, room: async () => {} };

/** Those that some client may choose. */
function methodsOf({ methods, sources }: MethodPolicy): MethodName[] {
  return [...methods, ...sources.flatMap((source) => source.methods)];
}

function nothing(): void {}

/** Nobody is at fault. */
class ShutdownError extends GssocksError {}

const STOPPED = new ShutdownError("SERVER_STOPPED", "the server stopped");
