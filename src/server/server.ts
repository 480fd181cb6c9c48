/** The SOCKS server: listeners, what they share, and the sessions that come of them. */
import type { Socket } from "node:net";
import type { GroupSource } from "../auth/group-sources.js";
import type { GssapiMethodOptions } from "../auth/gssapi.js";
import type { IdentClientOptions } from "../auth/ident-client.js";
import type { PasswordBackend } from "../auth/password-backend.js";
import type { SessionLimits } from "../config/limits.js";
import { GssocksError } from "../errors.js";
import { FastContext } from "../gss/fast-context.js";
import type { AuditGate, Observer } from "../observability/events.js";
import { ownListenerTest } from "../policy/protected-destinations.js";
import type { Rule } from "../policy/rule.js";
import { listenerAddressText } from "../protocol/listener-address.js";
import { reset } from "../relay/cut-off.js";
import { Resolver } from "../relay/resolver.js";
import { Accounts } from "./accounts.js";
import type { Authorizer } from "./authorizer.js";
import { ClientSession, type ClientSessionOptions } from "./client-session.js";
import type { CommandSettings } from "./command.js";
import type { ConnectionOptions } from "./connection.js";
import { Entrance } from "./entrance.js";
import { Generation, type GenerationParts } from "./generation.js";
import { IdentdSocket, type IdentdSocketOptions } from "./identd-socket.js";
import type { Listener, ListeningSocket } from "./listener.js";
import { listenerChanges } from "./listener-changes.js";
import type { ListenerOptions } from "./listener-options.js";
import { localAddresses } from "./local-addresses.js";
import { methodsOf } from "./methods.js";
import { originOf, strangerTo } from "./origin.js";
import { type FindOwner, OutgoingConnections } from "./outgoing.js";
import type { PenaltyOptions } from "./penalties.js";
import { RateBook } from "./rate-book.js";
import type { ReloadOutcome } from "./reload-outcome.js";
import { newSessionId } from "./session-id.js";
import type { SessionInfo } from "./session-info.js";
import { SessionQuota } from "./session-quota.js";
import { SessionRecord } from "./session-record.js";
import { type Progress, Sessions } from "./sessions.js";
import { localCounts } from "./shared-counts.js";
import type { TlsAcceptor } from "./tls-acceptor.js";
import { NO_UPSTREAMS, type Upstreams } from "./upstream.js";

export type { ListenerOptions } from "./listener-options.js";

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
  /** Has a word on what the rules allow. */
  authorizer?: Authorizer;
  /** false: a rule's networks match the addresses that clients ask for, and no name's. Default true. */
  networksMatchNames?: boolean;
  /** Opens those that rules lead to (`via`); null where none does. */
  upstreams: (() => Upstreams) | null;
  /** Those of this process beside `listeners`: protected destinations as they are. */
  ownListeners?: () => readonly Listener["bound"][];
  limits: SessionLimits;
  penalties: PenaltyOptions;
  /** Milliseconds; Infinity for no limit. */
  timeouts: ConnectionOptions["timeouts"];
}

/** What awaits those who come by an entrance. */
interface Way {
  /** null: whoever comes. */
  owners: ReadonlySet<number> | null;
  /** `address:port`, as bound. */
  listener: string;
  /** null: TCP alone. */
  tls: TlsAcceptor | null;
  options: ClientSessionOptions;
}

export class Server {
  #options: ServerOptions;
  readonly #observer: Observer;
  readonly #audit: AuditGate;
  readonly #parts: GenerationParts;
  readonly #resolver = new Resolver();
  readonly #outgoing = new OutgoingConnections();
  readonly #sessions = new Sessions();
  #entrances: readonly Entrance[] = [];
  #ways: ReadonlyMap<Entrance, Way> = new Map();
  #generation: Generation | null = null;
  readonly #retiring = new Set<Generation>();
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
    const bound = () => [
      ...this.#entrances.map(({ listener }) => listener.bound),
      ...(this.#options.ownListeners?.() ?? []),
    ];
    this.#parts = {
      quotas: { places: counts.places, rates: new RateBook(), accounts: new Accounts() },
      throttle: counts.passwords,
      isOwnListener: ownListenerTest(bound, localAddresses),
      renewed: (options, failure) => {
        const listener = String(this.#entrances[this.#options.listeners.indexOf(options)]);
        observer({ type: "renewed", listener, reason: failure?.message ?? null });
      },
    };
  }

  /** The bound addresses, `address:port`, in the configuration's order. */
  get addresses(): string[] {
    return this.#entrances.map(String);
  }

  /**
   * Acquires what the listeners' methods need, and opens the listeners.
   * @param sockets that listen already, in the configuration's order
   * @throws GssError (keytab), NetworkError (CANNOT_LISTEN, TLS_FILES …); nothing stays open then
   */
  async start(sockets: readonly ListeningSocket[] = []): Promise<void> {
    const { identd } = this.#options;
    if (identd !== null) this.#identd = await IdentdSocket.open(identd, this.findOwner);
    try {
      await this.#change(this.#options, sockets);
      this.#tellEngines();
      this.#state = "serving";
    } catch (error) {
      this.#identd?.close();
      throw error;
    }
  }

  /**
   * Finds out whether what the listeners' methods need is there, and tells of it, for others to serve.
   * @throws what {@link start} throws, but for the listeners themselves
   */
  async check(): Promise<void> {
    const generation = await Generation.open(this.#options, this.#parts);
    this.#tellEngines();
    generation.close();
  }

  /**
   * Has other options hold for what comes from now on, and judges the open sessions by the new rules. `identd` stays as it
   * is. Not to be called while it is under way.
   * @param sockets for the listeners that are new, in the configuration's order
   * @throws what {@link start} throws; nothing has changed then
   */
  async reload(options: ServerOptions, sockets: readonly ListeningSocket[] = []): Promise<ReloadOutcome> {
    const { added, removed } = await this.#change(options, sockets);
    const ended = await this.#sessions.judgeAgain();
    return { added: added.map(String), removed: removed.map(String), ended };
  }

  async #change(
    options: ServerOptions,
    sockets: readonly ListeningSocket[],
  ): Promise<{ added: Entrance[]; removed: readonly Entrance[] }> {
    const generation = await Generation.open(options, this.#parts);
    const { kept, removed } = listenerChanges(this.#entrances, options.listeners);
    const added: Entrance[] = [];
    const entrances: Entrance[] = [];
    try {
      for (const [index, at] of options.listeners.entries()) {
        const entrance = kept[index] ?? (await Entrance.open(at, sockets[added.length]));
        if (entrance !== kept[index]) added.push(entrance);
        entrances.push(entrance);
      }
      if (this.#stopping) throw STOPPED;
    } catch (error) {
      for (const entrance of added) entrance.close();
      generation.close();
      throw error;
    }
    // From here on nothing is waited for: whoever comes finds either all as it was or all as it is to be.
    this.#sessions.retire();
    this.#retire(this.#generation);
    this.#generation = generation;
    this.#options = options;
    this.#entrances = entrances;
    this.#ways = new Map(
      entrances.map((entrance, index) => {
        const listener = options.listeners[index] as ListenerOptions;
        const sessions = this.#sessionOptions(listener, generation);
        const owners = generation.ownersOf(listener);
        const tls = generation.tlsOf(listener);
        return [entrance, { owners, listener: String(entrance), tls, options: sessions }];
      }),
    );
    for (const entrance of removed) entrance.close();
    for (const entrance of added) {
      const { port } = entrance.listener.bound;
      this.#observer({ type: "listening", address: String(entrance), port });
      entrance.receiveBy((client) => void this.#accept(client, entrance));
    }
    return { added, removed };
  }

  #retire(generation: Generation | null): void {
    if (generation === null) return;
    this.#retiring.add(generation);
    generation.retire(this.#sessions.all, () => this.#retiring.delete(generation));
  }

  #tellEngines(): void {
    const engines = this.#options.fastPath ? FastContext.engines() : [];
    const gssapi = this.#options.listeners.some((listener) => methodsOf(listener).includes("gssapi"));
    if (gssapi) this.#observer({ type: "message-protection", engines });
  }

  /** What the sessions of one listener have in common. */
  #sessionOptions(
    listener: ListenerOptions,
    { options, services, limits, penalties, upstreams }: Generation,
  ): ClientSessionOptions {
    const { commands, bind, udp, timeouts, fastPath } = options;
    // Of all that is said here, the rules and what they ask are those in force whenever it is looked.
    const inForce = () => this.#generation as Generation;
    return {
      listener: listenerAddressText(listener),
      get directory() {
        return inForce().directory;
      },
      services,
      policy: listener,
      socks4: listener.socks4,
      http: listener.http,
      pac: listener.pac,
      levels: listener.protectionLevels,
      nec: listener.nec,
      fastPath,
      get ruleset() {
        return inForce().ruleset;
      },
      get authorizer() {
        return inForce().options.authorizer ?? null;
      },
      resolver: this.#resolver,
      commands: { commands, bind, udp },
      outgoing: this.#outgoing,
      upstreams,
      limits,
      slowDown: (source, code) => penalties.slowDown(source, code),
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

  get #stopping(): boolean {
    return this.#state === "draining" || this.#state === "stopped";
  }

  /** The open sessions. */
  get progress(): Progress[] {
    return this.#sessions.progress;
  }

  /** Why no client can be served, or none with a ticket; empty where they can. */
  async notReady(): Promise<string[]> {
    if (this.#state !== "serving") return [`the server is ${this.#state}`];
    const closed = this.#entrances.filter(({ listener }) => !listener.open);
    const reasons = closed.map((entrance) => `${entrance} does not listen`);
    const { full } = this.#audit;
    if (full !== null) reasons.push(full);
    await this.#generation?.services.gssapi?.check().catch((error: Error) => reasons.push(error.message));
    return reasons;
  }

  /** Those that rules lead to. */
  get upstreams(): Upstreams {
    return this.#generation?.upstreams ?? NO_UPSTREAMS;
  }

  /** Those that are open. */
  list(): SessionInfo[] {
    return this.#sessions.list();
  }

  /** Ends those of them that are open here, and tells which those were. */
  kill(sessions: readonly string[]): Promise<string[]> {
    return this.#sessions.end(new Set(sessions), KILLED);
  }

  /** Ends the sessions that a `stop` under way still waits for. */
  abort(): void {
    this.#sessions.abortAll(STOPPED);
  }

  #closeListeners(): void {
    for (const entrance of this.#entrances) entrance.close();
  }

  #closeServices(): void {
    this.#identd?.close();
    for (const generation of this.#retiring) generation.close();
    this.#generation?.close();
  }

  async #accept(socket: Socket, entrance: Entrance): Promise<void> {
    const generation = this.#generation;
    const owners = this.#ways.get(entrance)?.owners ?? null;
    const origin = originOf(socket, entrance.listener, owners !== null);
    // Gone before we looked.
    if (origin === null || generation === null) return void socket.destroy();
    const { client, source } = origin;
    const stranger = owners === null ? null : strangerTo(owners, origin);
    if (stranger !== null) {
      this.#observer(stranger);
      return reset(socket);
    }
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
    const { limits, penalties } = generation;
    const quota = await limits.begin(source, penalties.bound(source));
    socket.off("error", nothing);
    if (!(quota instanceof SessionQuota)) {
      this.#observer({ type: "connection-refused", client, code: "LIMIT_REACHED", ...quota });
      return reset(socket);
    }
    // Either of us left while others were asked.
    const way = this.#stopping ? undefined : this.#ways.get(entrance);
    if (socket.destroyed || way === undefined) {
      quota.end();
      return reset(socket);
    }
    const { listener } = way;
    const record = new SessionRecord(newSessionId(), origin, listener, quota);
    record.onRefusal = (code) => penalties.note(source, code);
    this.#observer({ type: "session-opened", subject: record.subject, listener });
    const session = new ClientSession(socket, record, way.tls, way.options);
    this.#sessions.add(session);
    // Its place is kept until its record finds room: so many sessions, so many records more than may wait.
    void session.done.then(() => this.#audit.room()).then(() => quota.end());
  }
}

const NO_GATE: AuditGate = { full: null, written: async () => {}, room: async () => {} };

function nothing(): void {}

/** Nobody is at fault. */
class EndedError extends GssocksError {}

const STOPPED = new EndedError("SERVER_STOPPED", "the server stopped");

const KILLED = new EndedError("KILLED", "an administrator ended the session (gssocks kill)");
