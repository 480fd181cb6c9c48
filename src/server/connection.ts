/**
 * The driver of one client's connection: owns its socket, timers and security context, feeds what arrives to the
 * server machine and carries out the effects that come back.
 */
import type { Socket } from "node:net";
import type { Identity } from "../auth/identity.js";
import { type GssocksError, PeerError } from "../errors.js";
import type { SecurityContext } from "../gss/security-context.js";
import type { AuditSession, Observer } from "../observability/events.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";
import { hopsOf } from "../protocol/hop-mark.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { Request } from "../protocol/request.js";
import { ServerMachine } from "../protocol/server-machine.js";
import { type ServerEffect, type ServerInput, STEPS } from "../protocol/server-state.js";
import { type Batch, writeBatch } from "../relay/batch.js";
import type { Carrier } from "../relay/carrier.js";
import {
  CLEAR_DATAGRAMS,
  ContextDatagramProtection,
  type DatagramProtection,
} from "../relay/datagram-protection.js";
import { CLEAR, ContextProtection, type MessageProtection } from "../relay/message-protection.js";
import type { Association } from "./association.js";
import { Authentication, type AuthenticationOptions } from "./authentication.js";
import { carryCommand } from "./carry-command.js";
import { clearRequest, isClearRequest } from "./clear-request.js";
import type { ClientFacts } from "./client-facts.js";
import { clientLost } from "./client-lost.js";
import { Command, type CommandOptions, commandName } from "./command.js";
import { Deadline } from "./deadline.js";
import { sayFarewell } from "./farewell.js";
import { asError } from "./internal-error.js";
import { levelMessage, openLevelToken } from "./level-message.js";
import { type Octets, octetsOf } from "./octets.js";
import { sessionFailed } from "./session-failed.js";
import { outcome, type SessionRecord } from "./session-record.js";
import { type Progress, stateOf } from "./sessions.js";

/** Octets kept while an answer is awaited; past this the socket is not read. */
const READ_AHEAD = 65536;

export interface ConnectionOptions extends CommandOptions {
  /** Allowed at this listener, best first. */
  levels: readonly AgreedLevel[];
  nec: boolean;
  /** Protect what is relayed without the library's calls, where the context allows it. */
  fastPath: boolean;
  /** Milliseconds; Infinity for no limit. */
  timeouts: CommandOptions["timeouts"] & { handshake: number };
  observer: Observer;
  /** Keeps back the answer to what failed with `code`. */
  slowDown: (source: string, code: string) => Promise<void>;
}

export class Connection {
  /** Resolves when the session is over: its audit record is out and the client's socket is closed. Never rejects. */
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #record: SessionRecord;
  readonly #machine: ServerMachine;
  #waiting: AbortController | null = null;
  readonly #auth: Authentication;
  readonly #facts: ClientFacts;
  #identity: Identity | null = null;
  #protection: MessageProtection | null = null;
  #sealed: ContextProtection | null = null;
  #sealedDatagrams: ContextDatagramProtection | null = null;
  readonly #deadline = new Deadline((error) => this.#feed({ type: "failed", error }));
  readonly #command: Command;
  #carrier: Carrier | null = null;
  #reply: Batch = { buffers: [], release: () => {} };
  /** Proxies of ours that the client has come through. */
  #hops = 0;
  #closed = false;
  #resolveDone: () => void = () => {};

  /** @param handshake milliseconds for it */
  constructor(
    socket: Socket,
    record: SessionRecord,
    auth: AuthenticationOptions,
    facts: ClientFacts,
    handshake: number,
    options: ConnectionOptions,
  ) {
    this.#socket = socket;
    this.#record = record;
    this.#facts = facts;
    this.#options = options;
    this.#machine = new ServerMachine({
      methods: [...auth.methods.keys()],
      nec: options.nec,
      socks4: auth.socks4 !== null,
    });
    this.#auth = new Authentication(socket, auth);
    this.#command = new Command(socket, record, options);
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose);
    this.#deadline.set(handshake, "HANDSHAKE_TIMEOUT", "the handshake took longer than");
  }

  get progress(): Progress | null {
    if (this.#closed) return null;
    return { state: stateOf(this.#machine.state), level: this.#record.known.level, ...this.#octets };
  }

  /** The rules have changed. @returns why the session may not go on; null where it may, or is over */
  async judgeAgain(): Promise<GssocksError | null> {
    const denial = await this.#command.judgeAgain();
    return this.#closed ? null : denial;
  }

  /** Ends the session at once; a client that was refused is not waited for any longer. */
  abort(error: GssocksError): void {
    const carrying = this.#carrier ?? this.#command.association;
    if (carrying !== null) return carrying.abort(error);
    this.#feed({ type: "failed", error });
    this.#socket.destroySoon();
  }

  readonly #onData = (octets: Buffer): void => this.#received(octets);
  readonly #onEnd = (): void => {
    try {
      this.#protection?.end();
    } catch (error) {
      return this.#feed({ type: "failed", error: asError(error) });
    }
    this.#feed({ type: "ended" });
  };
  readonly #onError = (error: NodeJS.ErrnoException): void =>
    this.#feed({ type: "failed", error: clientLost(error) });
  readonly #onClose = (): void =>
    this.#feed({ type: "failed", error: new PeerError("CLOSED_EARLY", "the client closed the connection") });

  #received(octets: Buffer): void {
    let batch: Batch;
    try {
      batch = (this.#protection ?? CLEAR).open(octets);
    } catch (error) {
      const failure = asError(error);
      const clear = this.#machine.state === "request" && isClearRequest(failure, octets);
      return this.#feed({ type: "failed", error: clear ? clearRequest(this.#record.known.level) : failure });
    }
    for (const octets of batch.buffers) this.#feed({ type: "octets", octets });
    batch.release();
    if (this.#machine.waiting && this.#machine.buffered > READ_AHEAD) this.#socket.pause();
  }

  #feed(input: ServerInput): void {
    for (const effect of this.#machine.feed(input)) {
      try {
        this.#carryOut(effect);
      } catch (error) {
        return this.#broken(asError(error));
      }
    }
    if (!this.#machine.waiting && this.#machine.state !== "relaying") this.#socket.resume();
  }

  /** An effect could not be carried out. The client is told, unless telling it is what failed. */
  #broken(error: GssocksError): void {
    const { state } = this.#machine;
    if (state !== "closed" && state !== "relaying") return this.#feed({ type: "failed", error });
    this.#socket.destroy();
    this.#finish(STEPS[state], error);
  }

  #carryOut(effect: ServerEffect): void {
    const { observer } = this.#options;
    const { subject } = this.#record;
    this.#record.follow(effect);
    switch (effect.type) {
      case "methods":
        this.#hops = hopsOf(effect.methods);
        observer({ type: "method-selected", subject, offered: effect.methods, selected: effect.selected });
        return this.#identified(this.#auth.begin(effect.selected));
      case "verify":
        void this.#verify(effect.username, effect.password);
        return;
      case "send":
        return this.#send(effect.octets);
      case "accept":
        void this.#accept(effect.token);
        return;
      case "open-level":
        return this.#openLevel(effect.token);
      case "seal-level": {
        observer({ type: "level-agreed", subject, offered: effect.offered, level: effect.level });
        return this.#send(levelMessage(this.#context, effect.level, effect.nec));
      }
      case "protect":
        return this.#protect(effect.level, effect.rest);
      case "request":
        void this.#decide(effect.request, effect.user);
        return;
      case "relay":
        return this.#relay(effect.rest);
      case "associate":
        return this.#associated();
      case "refuse":
        return this.#refuse(STEPS[effect.state], effect.error);
    }
  }

  #send(octets: Buffer): void {
    if (!this.#socket.writable) return;
    const batch = (this.#protection ?? CLEAR).seal(octets);
    // The last reply goes out with what is relayed.
    if (this.#machine.state === "relaying") this.#reply = batch;
    else writeBatch(this.#socket, batch);
  }

  #identified(identity: Identity | null): void {
    if (identity === null) return;
    this.#identity = identity;
    this.#record.identified(identity);
    this.#options.observer({ type: "authenticated", subject: this.#record.subject, identity });
  }

  async #verify(username: string, password: Buffer): Promise<void> {
    try {
      const identity = await this.#auth.verify(username, password);
      if (this.#closed) return;
      this.#identified(identity);
      this.#feed({ type: "verified" });
    } catch (error) {
      this.#feed({ type: "failed", error: asError(error) });
    }
  }

  async #accept(token: Buffer): Promise<void> {
    try {
      const step = await this.#auth.accept(token);
      if (this.#closed) return;
      if (!step.complete) return this.#feed({ type: "accepted", complete: false, token: step.token });
      this.#identified(step.identity);
      const levels = this.#auth.levels(this.#options.levels);
      this.#feed({ type: "accepted", complete: true, token: step.token, levels });
    } catch (error) {
      this.#record.subject.principal = this.#auth.refused;
      const failure = asError(error);
      await this.#options.slowDown(this.#record.origin.source, failure.code);
      this.#feed({ type: "failed", error: failure });
    }
  }

  get #context(): SecurityContext {
    return this.#auth.context as SecurityContext;
  }

  #openLevel(token: Buffer): void {
    let octets: Buffer;
    try {
      octets = openLevelToken(this.#context, token);
    } catch (error) {
      return this.#feed({ type: "failed", error: asError(error) });
    }
    this.#feed({ type: "level-opened", octets });
  }

  #protect(level: AgreedLevel, rest: Buffer): void {
    if (level !== "none") this.#sealed = new ContextProtection(this.#context, level);
    this.#protection = this.#sealed ?? CLEAR;
    if (rest.length > 0) this.#received(rest);
  }

  async #decide({ cmd, dst }: Request, user: string | null): Promise<void> {
    const { observer, timeouts } = this.#options;
    const { subject, known } = this.#record;
    const command = commandName(cmd);
    const destination = formatEndpoint(dst);
    known.command = command;
    known.destination = destination;
    observer({ type: "request", subject, command, destination });
    this.#deadline.set(
      timeouts.connect,
      "CONNECT_TIMEOUT",
      "the destination did not answer within",
      REP.TTL_EXPIRED,
    );
    try {
      if (user !== null) this.#identified(await this.#auth.identify(user, this.#ending()));
      if (this.#closed) return;
      this.#record.enter("decision");
      this.#tellHandshake("completed");
      const identity = this.#identity as Identity;
      await this.#command.carryOut(cmd, dst, {
        method: identity.method,
        client: () => this.#facts.of(identity, (this.#sealed?.level ?? "none") as AgreedLevel),
        datagrams: () => this.#datagrams(),
        reply: (bnd) => this.#succeeded(bnd),
        signal: () => this.#ending(),
        hops: this.#hops,
        delegated: () => this.#auth.delegated,
      });
    } catch (error) {
      const failure = asError(error);
      this.#feed({ type: "replied", rep: failure.rep, error: failure });
    }
  }

  #ending(): AbortSignal {
    this.#waiting ??= new AbortController();
    if (this.#closed) this.#waiting.abort();
    return this.#waiting.signal;
  }

  #succeeded(bnd: Endpoint): void {
    // A second reply has a deadline of its own.
    this.#deadline.clear();
    this.#feed({ type: "replied", rep: REP.SUCCEEDED, bnd });
  }

  #datagrams(): DatagramProtection {
    if (this.#sealed === null) return CLEAR_DATAGRAMS;
    this.#sealedDatagrams = new ContextDatagramProtection(this.#context, this.#sealed.level);
    return this.#sealedDatagrams;
  }

  #relay(rest: Buffer): void {
    // Only now: the command may have been one whose datagrams need the context.
    if (this.#options.fastPath) this.#sealed?.accelerate();
    const reply = Buffer.concat(this.#reply.buffers);
    this.#reply.release();
    this.#carrier = carryCommand(this.#command, {
      client: this.#handOver(),
      protection: this.#protection ?? CLEAR,
      reply,
      rest,
    });
    this.#relaying(this.#carrier);
  }

  #associated(): void {
    writeBatch(this.#handOver(), this.#reply);
    const association = this.#command.association as Association;
    association.watch();
    this.#relaying(association);
  }

  #relaying(carrying: Carrier): void {
    this.#command.carriedBy(carrying);
    void carrying.done.then((error) => this.#finish(STEPS.relaying, error));
  }

  /** The handshake is over: whoever carries the data listens to the socket from here on. */
  #handOver(): Socket {
    this.#deadline.clear();
    this.#command.handedOver();
    this.#record.relaying(this.#options.observer);
    return this.#socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onClose);
  }

  #refuse(step: string, error: GssocksError): void {
    this.#finish(step, error);
    sayFarewell(this.#socket.off("data", this.#onData).off("end", this.#onEnd));
  }

  #finish(step: string, error: GssocksError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline.clear();
    this.#waiting?.abort();
    this.#command.close(this.#carrier === null);
    this.#protection?.close();
    this.#auth.close();
    const { observer } = this.#options;
    this.#tellHandshake(outcome(error));
    if (error !== null) observer(sessionFailed(this.#record.subject, step, error));
    observer({ type: "session-closed", record: this.#record.close(error, this.#octets) });
    if (this.#socket.closed) this.#resolveDone();
    else this.#socket.once("close", this.#resolveDone);
  }

  get #octets(): Octets {
    return octetsOf(this.#carrier ?? this.#command.association, [this.#sealed, this.#sealedDatagrams]);
  }

  #tellHandshake(outcome: AuditSession["outcome"]): void {
    this.#record.handshake(outcome, this.#auth.method, this.#options.observer);
  }
}
