/** What a request asks for (RFC 1928 §4), once it is known who asks: judged by the rules, then done. */
import type { Socket } from "node:net";
import { GssocksError, PeerError, PolicyError } from "../errors.js";
import type { AuditGate, Observer } from "../observability/events.js";
import { type AuthMethodName, isProven } from "../policy/auth-methods.js";
import type { Decision } from "../policy/decision.js";
import type { Client, CommandName } from "../policy/facts.js";
import type { Ruleset } from "../policy/ruleset.js";
import { NO_TERMS, type Terms } from "../policy/terms.js";
import { type Endpoint, formatEndpoint, parseHost, plainAddress } from "../protocol/address.js";
import { CMD, REP } from "../protocol/constants.js";
import { type BindOptions, bind } from "../relay/bind.js";
import type { Carrier, CarrierOptions } from "../relay/carrier.js";
import type { DatagramProtection } from "../relay/datagram-protection.js";
import { Dialing } from "../relay/dialer.js";
import { facingAddress } from "../relay/facing-address.js";
import type { Resolver } from "../relay/resolver.js";
import { UdpAssociation } from "../relay/udp-associate.js";
import { Association, type AssociationTimeouts } from "./association.js";
import { AssociationDestinations } from "./association-destinations.js";
import { type Authorized, DeniedError, NoSourceError, sourceFor } from "./authorize.js";
import type { Authorizer } from "./authorizer.js";
import { ClientWatch } from "./client-watch.js";
import { isVerified, Judge } from "./judge.js";
import { type Decided, judgement } from "./judgement.js";
import { endedByLimit, LimitError, type Limits } from "./limits.js";
import type { OutgoingConnections, TcpAddress } from "./outgoing.js";
import type { SessionRecord } from "./session-record.js";
import { socketOwner } from "./socket-owner.js";
import type { Through, UpstreamAsking, Upstreams } from "./upstream.js";

const LOOPBACK = "127.0.0.1";

const COMMANDS: Readonly<Record<number, CommandName>> = {
  [CMD.CONNECT]: "connect",
  [CMD.BIND]: "bind",
  [CMD.UDP_ASSOCIATE]: "udp-associate",
};

export function commandName(cmd: number): string {
  return COMMANDS[cmd] ?? `0x${cmd.toString(16).padStart(2, "0")}`;
}

export interface CommandSettings {
  /** Those that are served. */
  commands: readonly CommandName[];
  bind: {
    /** Where peers connect to; null: any free port. */
    ports: BindOptions["ports"];
  };
  udp: {
    /** Where clients send datagrams to; null: any free port. */
    ports: BindOptions["ports"];
    /** BND.ADDR told to clients, where we are behind a NAT; null: our own address. */
    advertise: string | null;
    /** Of one association at a time. */
    destinations: number;
    datagramsPerSecond: number;
    /** Pass on datagrams of destinations that the client has not sent to. */
    fromAnyone: boolean;
  };
}

export interface CommandOptions {
  commands: CommandSettings;
  ruleset: Ruleset;
  authorizer: Authorizer | null;
  resolver: Resolver;
  outgoing: OutgoingConnections;
  upstreams: Upstreams;
  limits: Limits;
  /** Milliseconds; Infinity for no limit. */
  timeouts: AssociationTimeouts & { connect: number; bind: number };
  observer: Observer;
  audit: AuditGate;
}

export interface Asking {
  /** How the client was authenticated. */
  method: AuthMethodName;
  /** What the rules are told of it; looked up once. */
  client: () => Promise<Client>;
  /** Between us and the client. */
  datagrams: () => DatagramProtection;
  /** Tells the client that it succeeded, and its BND. */
  reply: (bnd: Endpoint) => void;
  /** Of the session's end; made when first asked for, which most sessions never do. */
  signal: () => AbortSignal;
  /** {@link UpstreamAsking} */
  hops: number;
  delegated: () => UpstreamAsking["delegated"];
}

export class Command {
  readonly #socket: Socket;
  readonly #record: SessionRecord;
  readonly #options: CommandOptions;
  #destination: Socket | null = null;
  #through: Through | null = null;
  #association: Association | null = null;
  #destinations: AssociationDestinations | null = null;
  #forget: () => void = () => {};
  #dialing: Dialing | null = null;
  readonly #watch: ClientWatch;
  #closed = false;
  #judge: Judge | null = null;
  #terms: Terms = NO_TERMS;

  constructor(socket: Socket, record: SessionRecord, options: CommandOptions) {
    this.#socket = socket;
    this.#record = record;
    this.#options = options;
    this.#watch = new ClientWatch(socket);
  }

  /** Of CONNECT and BIND, paused. */
  get destination(): Socket | null {
    return this.#destination;
  }

  /** What lies between us and the destination, where that is an upstream. */
  get through(): Through | null {
    return this.#through;
  }

  get association(): Association | null {
    return this.#association;
  }

  /** Whoever has the client's socket now sees it leave. */
  handedOver(): void {
    this.#watch.end();
  }

  /** Its octets count from here on, for the limits and for the upstream. */
  carriedBy(carrier: Carrier): void {
    this.#record.quota.count(() => carrier.carried, endedByLimit(carrier));
    this.#through?.carries(() => carrier.carried);
  }

  /** For what CONNECT or BIND relays: the rule's where it has them, else the server's. */
  bounds(): Required<Pick<CarrierOptions, "idleTimeout" | "totalTimeout" | "upRates" | "downRates">> {
    const { idle, total } = this.#options.timeouts;
    const { up, down } = this.#record.quota.rates(this.#terms.bandwidth);
    return {
      idleTimeout: this.#terms.idle ?? idle,
      totalTimeout: this.#terms.total ?? total,
      upRates: up,
      downRates: down,
    };
  }

  /** @throws GssocksError with the REP */
  async carryOut(cmd: number, dst: Endpoint, asking: Asking): Promise<void> {
    this.#record.enter("decision");
    this.#watch.begin();
    const name = this.#served(cmd);
    if (name instanceof GssocksError) {
      await this.#decided(dst, name);
      throw name;
    }
    const judge = new Judge(this.#options, {
      method: asking.method,
      signal: asking.signal,
      client: async () => {
        const client = await asking.client();
        this.#record.known.localName = client.localName.name;
        return client;
      },
      command: name,
      principal: this.#record.subject.principal,
      source: this.#record.origin.source,
      entered: (phase) => this.#record.enter(phase),
    });
    this.#judge = judge;
    if (name === "connect") await this.#connect(dst, judge, asking);
    else if (name === "bind") await this.#bind(dst, judge, asking);
    else await this.#associate(dst, judge, asking);
  }

  #served(cmd: number): CommandName | GssocksError {
    const name = COMMANDS[cmd];
    const rep = REP.COMMAND_NOT_SUPPORTED;
    if (name === undefined) {
      const what = `the command ${commandName(cmd)} is not supported`;
      return new PeerError("COMMAND_UNSUPPORTED", what, { rep });
    }
    if (this.#options.commands.commands.includes(name)) return name;
    return new PolicyError("COMMAND_NOT_ALLOWED", `the command ${name} is not allowed (commands)`, { rep });
  }

  /** @param destination close that too: nobody else looks after it */
  close(destination: boolean): void {
    this.#destinations?.close();
    this.#watch.end();
    this.#closed = true;
    this.#dialing?.abort();
    this.#forget();
    if (destination) this.#destination?.destroy();
    this.#through?.close();
    if (this.#association === null) return;
    this.#association.close();
    const { subject } = this.#record;
    this.#options.observer({ type: "association-closed", subject, ...this.#association.counts });
  }

  /**
   * The rules have changed: an association sends no more to what they deny.
   * @returns why what was asked for may not go on; null where it may, or where it is not judged yet
   */
  async judgeAgain(): Promise<PolicyError | null> {
    return this.#judge?.again(this.#association) ?? null;
  }

  async #connect(dst: Endpoint, judge: Judge, asking: Asking): Promise<void> {
    const { method, reply } = asking;
    const { addresses, port, upstream, decision } = await this.#authorize(dst, judge, method);
    if (this.#closed) return;
    this.#record.enter("connect");
    if (upstream !== null) return this.#connectThrough(upstream, decision, asking);
    const from = (address: string) => sourceFor(address, addresses.get(address)?.terms.sourceAddresses ?? []);
    this.#dialing = new Dialing([...addresses.keys()], port, this.#options.timeouts.connect, from);
    const { address, socket } = await this.#dialing.done;
    this.#dialing = null;
    judge.reached(dst, address);
    this.#joined(socket, addresses.get(address), method);
    reply(endpoint(socket.localAddress, socket.localPort));
  }

  async #connectThrough(
    { name, dst }: NonNullable<Authorized["upstream"]>,
    decision: Decision,
    asking: Asking,
  ): Promise<void> {
    this.#record.known.upstream = name;
    const through = await this.#options.upstreams.connect(name, dst, upstreamAsking(asking));
    this.#joinedThrough(through, decision, asking);
    asking.reply(through.bnd);
  }

  async #bindThrough(
    { name, dst }: NonNullable<Authorized["upstream"]>,
    decision: Decision,
    asking: Asking,
  ): Promise<void> {
    this.#record.known.upstream = name;
    const bound = await this.#options.upstreams.bind(name, dst, upstreamAsking(asking));
    if (this.#closed) return bound.close();
    asking.reply(bound.bnd);
    const through = await bound.peer;
    this.#joinedThrough(through, decision, asking);
    asking.reply(through.bnd);
  }

  #joinedThrough(through: Through, decision: Decision, { method }: Asking): void {
    this.#through = through;
    if (this.#closed) through.close();
    this.#joined(through.socket, decision, method);
  }

  /**
   * A socket to which the peer that DST.ADDR names may connect, and two replies: where that is, and who did. Where
   * DST.ADDR is 0.0.0.0 or ::, every peer may that the rules allow as a destination.
   */
  async #bind(dst: Endpoint, judge: Judge, asking: Asking): Promise<void> {
    const { method, reply, signal } = asking;
    const { addresses, upstream, decision } = await this.#authorize(dst, judge, method);
    if (this.#closed) return;
    if (upstream !== null) return this.#bindThrough(upstream, decision, asking);
    const { commands, timeouts } = this.#options;
    const [first = ""] = addresses.keys();
    const anybody = first === "0.0.0.0" || first === "::";
    const decide = (address: string) => (anybody ? judge.peer(address, dst.port) : addresses.get(address));
    const accepts = (address: string) => decide(address)?.effect === "allow";
    const address = anybody ? this.#ownAddress : await facingAddress(first, dst.port);
    this.#record.enter("connect");
    const { ports } = commands.bind;
    const bound = await bind({ address, ports, accepts, timeout: timeouts.bind, signal: signal() });
    reply(bound.bnd);
    const socket = await bound.peer;
    const peer = plainAddress(socket.remoteAddress ?? "");
    const judged = decide(peer);
    judge.reached(anybody ? endpoint(peer, dst.port) : dst, peer);
    this.#joined(socket, judged, method);
    reply(endpoint(socket.remoteAddress, socket.remotePort));
  }

  /** Each destination is judged when the client first sends to it; `announced` is where it says it will send from. */
  async #associate(announced: Endpoint, judge: Judge, asking: Asking): Promise<void> {
    const { method, datagrams, reply } = asking;
    const { commands, timeouts, upstreams } = this.#options;
    await this.#admit(method, null);
    await this.#decided(announced, null);
    if (this.#closed) return;
    const { ports, advertise, destinations, datagramsPerSecond, fromAnyone } = commands.udp;
    const judged = { tell: (...decision: Decided) => this.#tellDecision(...decision), ...this.#options };
    const judgedDestinations = new AssociationDestinations(destinations, judge, this.#record.subject, judged);
    this.#destinations = judgedDestinations;
    const relay = await UdpAssociation.open({
      address: this.#ownAddress,
      advertised: advertise ?? undefined,
      ports,
      client: { address: this.#socket.remoteAddress ?? LOOPBACK, announced, owns: this.#ownsDatagrams() },
      protection: datagrams(),
      authorize: (dst) => judgedDestinations.authorize(dst),
      openUpstream: (name, heard) => upstreams.associate(name, upstreamAsking(asking), heard),
      limits: { destinations, datagramsPerSecond },
      rates: this.#record.quota.rates(null),
      ratesOf: (dst) => judgedDestinations.ratesOf(dst),
      fromAnyone,
    });
    if (this.#closed) return relay.close();
    this.#association = new Association(this.#socket, relay, timeouts);
    reply(relay.bnd);
  }

  /** Where clients of this connection reach us; those of a Unix socket are on this host. */
  get #ownAddress(): string {
    return this.#socket.localAddress ?? LOOPBACK;
  }

  /** Whether a UDP socket is the client's user's; null: it is not known who that is, or what is whose. */
  #ownsDatagrams(): ((from: TcpAddress, relay: TcpAddress) => boolean) | null {
    const { uid } = this.#record.origin;
    if (uid === null || process.platform !== "linux") return null;
    return (from, relay) => socketOwner("udp", from, relay) === uid;
  }

  async #authorize(dst: Endpoint, judge: Judge, method: AuthMethodName): Promise<Authorized> {
    try {
      const authorized = await judge.grant(dst);
      const { decision } = authorized;
      this.#record.known.rule = decision.rule;
      await this.#admit(method, decision);
      await this.#decided(dst, authorized);
      return authorized;
    } catch (error) {
      if (error instanceof DeniedError || error instanceof NoSourceError)
        this.#record.known.rule = error.decision.rule;
      if (error instanceof GssocksError) await this.#decided(dst, error);
      throw error;
    }
  }

  /** To what the user's sessions share, and the rule's; where a host may name whom it likes, they are not that user's. */
  async #admit(method: AuthMethodName, decision: Decision | null): Promise<void> {
    const { limits } = this.#options;
    const { principal } = this.#record.subject;
    const scopes = principal !== null && isVerified(method) ? [limits.ofUser(principal)] : [];
    if (decision?.rule != null && decision.terms.limits !== null)
      scopes.push(limits.ofRule(decision.rule, decision.terms.limits));
    const full = await this.#record.quota.join(scopes);
    if (full !== null) throw new LimitError(full);
  }

  /** Fulfilled when the record is written: nothing may come of the decision before. */
  #decided(dst: Endpoint, outcome: Authorized | GssocksError | null): Promise<void> {
    this.#tellDecision(dst, outcome);
    return this.#options.audit.written();
  }

  /** None follows the session's own record. */
  #tellDecision(...[dst, outcome, untold = 0]: Decided): void {
    if (this.#closed) return;
    const record = this.#record.decided(formatEndpoint(dst), judgement(outcome), untold);
    this.#options.observer({ type: "decision", record });
  }

  #joined(destination: Socket, decision: Decision | undefined, method: AuthMethodName): void {
    this.#destination = destination;
    this.#terms = decision?.terms ?? NO_TERMS;
    this.#record.known.rule = decision?.rule ?? null;
    if (this.#closed) return void destination.destroy();
    const { known, subject } = this.#record;
    const { observer, outgoing } = this.#options;
    const remote = endpoint(destination.remoteAddress, destination.remotePort);
    const local = endpoint(destination.localAddress, destination.localPort);
    known.address = formatEndpoint(remote);
    const owner = { session: subject.session, user: isProven(method) ? subject.principal : null };
    this.#forget = outgoing.add(addressOf(destination, "local"), addressOf(destination, "remote"), owner);
    const { severity } = this.#terms;
    observer({ type: "connected", subject, address: known.address, bound: formatEndpoint(local), severity });
  }
}

function upstreamAsking({ hops, delegated, signal }: Asking): UpstreamAsking {
  return { hops, delegated: delegated(), signal: signal() };
}

function addressOf(socket: Socket, end: "local" | "remote"): TcpAddress {
  return { address: socket[`${end}Address`] ?? "", port: socket[`${end}Port`] ?? 0 };
}

function endpoint(address = "0.0.0.0", port = 0): Endpoint {
  return { host: parseHost(address), port };
}
