/**
 * The driver of one client's connection: owns its socket, timers and security context, feeds what arrives to the
 * server machine and carries out the effects that come back.
 */
import type { Socket } from "node:net";
import type { GssapiExchange, GssapiMethod } from "../auth/gssapi.js";
import { GssocksError, NetworkError, PeerError } from "../errors.js";
import type { Observer } from "../observability/events.js";
import type { Ruleset } from "../policy/ruleset.js";
import { type Endpoint, formatEndpoint, parseHost } from "../protocol/address.js";
import { CMD, MTYP, REP, SOCKS5_VERSION } from "../protocol/constants.js";
import { encodeGssapiMessage } from "../protocol/gssapi-message.js";
import { type AgreedLevel, levelToOctet } from "../protocol/protection-level.js";
import type { Request } from "../protocol/request.js";
import { type ServerEffect, type ServerInput, ServerMachine, STEPS } from "../protocol/server-machine.js";
import { type Batch, writeBatch } from "../relay/batch.js";
import { dial } from "../relay/dialer.js";
import { CLEAR, ContextProtection, checkOrder, type MessageProtection } from "../relay/message-protection.js";
import { Pump } from "../relay/pump.js";
import { authorize, DeniedError } from "./authorize.js";
import type { SessionRecord } from "./session-record.js";

/** Octets kept while an answer is awaited; past this the socket is not read. */
const READ_AHEAD = 65536;

/** How long a refused client may take to read the farewell before the socket is destroyed, in ms. */
const LINGER = 2000;

export interface ConnectionOptions {
  method: GssapiMethod;
  /** Allowed at this listener, best first. */
  levels: readonly AgreedLevel[];
  nec: boolean;
  ruleset: Ruleset;
  /** Milliseconds; Infinity for no limit. */
  timeouts: { handshake: number; connect: number; idle: number; total: number };
  observer: Observer;
}

const COMMANDS: Readonly<Record<number, string>> = {
  [CMD.CONNECT]: "connect",
  [CMD.BIND]: "bind",
  [CMD.UDP_ASSOCIATE]: "udp-associate",
};

export class Connection {
  /** Resolves when the session is over: its audit record is out and the client's socket is closed. Never rejects. */
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #record: SessionRecord;
  readonly #machine: ServerMachine;
  readonly #exchange: GssapiExchange;
  readonly #dialing = new AbortController();
  #protection: MessageProtection | null = null;
  #sealed: ContextProtection | null = null;
  #deadline: NodeJS.Timeout | undefined;
  #destination: Socket | null = null;
  #pump: Pump | null = null;
  #closed = false;
  #resolveDone: () => void = () => {};

  constructor(socket: Socket, record: SessionRecord, options: ConnectionOptions) {
    this.#socket = socket;
    this.#record = record;
    this.#options = options;
    this.#machine = new ServerMachine({ methods: [options.method.method], nec: options.nec });
    this.#exchange = options.method.begin();
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
    socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose);
    this.#limit(options.timeouts.handshake, "HANDSHAKE_TIMEOUT", "the handshake took longer than");
  }

  /** Ends the session at once; a client that was refused is not waited for any longer. */
  abort(error: GssocksError): void {
    if (this.#pump !== null) return this.#pump.abort(error);
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
    this.#feed({
      type: "failed",
      error: new PeerError(
        "CONNECTION_LOST",
        `the client's connection broke: ${error.code ?? error.message}`,
        { cause: error },
      ),
    });
  readonly #onClose = (): void =>
    this.#feed({ type: "failed", error: new PeerError("CLOSED_EARLY", "the client closed the connection") });

  #received(octets: Buffer): void {
    let batch: Batch;
    try {
      batch = (this.#protection ?? CLEAR).open(octets);
    } catch (error) {
      const failure = asError(error);
      const clear = failure.code === "BAD_VERSION" && octets[0] === SOCKS5_VERSION;
      return this.#feed({
        type: "failed",
        error: clear && this.#machine.state === "request" ? inClear(this.#record.known.level) : failure,
      });
    }
    const plain = Buffer.concat(batch.buffers);
    batch.release();
    this.#feed({ type: "octets", octets: plain });
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
    if (!this.#machine.waiting && this.#pump === null) this.#socket.resume();
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
    switch (effect.type) {
      case "methods":
        observer({ type: "method-selected", subject, offered: effect.methods, selected: effect.selected });
        return;
      case "send":
        return this.#send(effect.octets);
      case "accept":
        void this.#accept(effect.token);
        return;
      case "open-level":
        return this.#openLevel(effect.token);
      case "seal-level": {
        this.#record.known.level = effect.level;
        observer({ type: "level-agreed", subject, offered: effect.offered, level: effect.level });
        return this.#sendLevel(effect.level, effect.nec);
      }
      case "protect":
        return this.#protect(effect.level, effect.rest);
      case "request":
        void this.#decide(effect.request);
        return;
      case "relay":
        return this.#relay(effect.rest);
      case "refuse":
        return this.#refuse(STEPS[effect.state], effect.error);
    }
  }

  #send(octets: Buffer): void {
    if (!this.#socket.writable) return;
    writeBatch(this.#socket, (this.#protection ?? CLEAR).seal(octets));
  }

  async #accept(token: Buffer): Promise<void> {
    try {
      const step = await this.#exchange.step(token);
      if (!step.complete) return this.#feed({ type: "accepted", complete: false, token: step.token });
      const { principal, mechanism, acceptor } = step.identity;
      this.#record.subject.principal = principal;
      this.#record.known.mechanism = mechanism;
      this.#options.observer({ type: "authenticated", subject: this.#record.subject, mechanism, acceptor });
      const levels = this.#exchange.levels(this.#options.levels);
      this.#feed({ type: "accepted", complete: true, token: step.token, levels });
    } catch (error) {
      this.#record.subject.principal = this.#exchange.principal;
      this.#feed({ type: "failed", error: asError(error) });
    }
  }

  #openLevel(token: Buffer): void {
    let octets: Buffer;
    try {
      const { message, supplementary } = this.#exchange.context.unwrap(token);
      checkOrder(supplementary);
      octets = message;
    } catch (error) {
      return this.#feed({ type: "failed", error: asError(error) });
    }
    this.#feed({ type: "level-opened", octets });
  }

  /** RFC 1961 §4.4: wrapped with conf_req FALSE. */
  #sendLevel(level: AgreedLevel, nec: boolean): void {
    const octets = Buffer.from([levelToOctet(level)]);
    const token = nec ? octets : this.#exchange.context.wrap(octets, false);
    this.#send(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, token));
  }

  #protect(level: AgreedLevel, rest: Buffer): void {
    if (level !== "none") this.#sealed = new ContextProtection(this.#exchange.context, level);
    this.#protection = this.#sealed ?? CLEAR;
    if (rest.length > 0) this.#received(rest);
  }

  async #decide(request: Request): Promise<void> {
    const { observer, ruleset, timeouts } = this.#options;
    const { subject, known } = this.#record;
    known.command = COMMANDS[request.cmd] ?? `0x${request.cmd.toString(16)}`;
    known.destination = formatEndpoint(request.dst);
    observer({ type: "request", subject, command: known.command, destination: known.destination });
    this.#limit(
      timeouts.connect,
      "CONNECT_TIMEOUT",
      "the destination did not answer within",
      REP.TTL_EXPIRED,
    );
    try {
      if (request.cmd !== CMD.CONNECT) {
        throw new PeerError("COMMAND_UNSUPPORTED", `the command ${known.command} is not supported`, {
          rep: REP.COMMAND_NOT_SUPPORTED,
        });
      }
      const authorized = await authorize(ruleset, request.dst);
      if (this.#closed) return;
      const { signal } = this.#dialing;
      const { address, socket } = await dial([...authorized.keys()], request.dst.port, {
        timeout: timeouts.connect,
        signal,
      });
      known.rule = authorized.get(address)?.rule ?? null;
      this.#connected(socket);
    } catch (error) {
      if (error instanceof DeniedError) known.rule = error.decision.rule;
      const failure = asError(error);
      this.#feed({ type: "replied", rep: failure.rep, error: failure });
    }
  }

  #connected(destination: Socket): void {
    if (this.#closed) {
      destination.destroy();
      return;
    }
    this.#destination = destination;
    this.#record.known.address = formatEndpoint(endpoint(destination.remoteAddress, destination.remotePort));
    const bnd = endpoint(destination.localAddress, destination.localPort);
    this.#options.observer({
      type: "connected",
      subject: this.#record.subject,
      address: this.#record.known.address,
      bound: formatEndpoint(bnd),
    });
    this.#feed({ type: "replied", rep: REP.SUCCEEDED, bnd });
  }

  #relay(rest: Buffer): void {
    clearTimeout(this.#deadline);
    const { idle, total } = this.#options.timeouts;
    const socket = this.#socket;
    socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onClose);
    this.#pump = new Pump(
      {
        client: socket,
        destination: this.#destination as Socket,
        protection: this.#protection ?? CLEAR,
        idleTimeout: idle,
        totalTimeout: total,
      },
      rest,
    );
    void this.#pump.done.then((error) => this.#finish(STEPS.relaying, error));
  }

  /** What was said before is sent, then our end; a client that does not close in turn is cut off. */
  #refuse(step: string, error: GssocksError): void {
    this.#finish(step, error);
    const socket = this.#socket;
    socket.off("data", this.#onData).off("end", this.#onEnd).resume();
    socket.end();
    const linger = setTimeout(() => socket.destroy(), LINGER);
    socket.once("end", () => socket.destroySoon()).once("close", () => clearTimeout(linger));
    if (socket.readableEnded) socket.destroySoon();
  }

  #finish(step: string, error: GssocksError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#deadline);
    this.#dialing.abort();
    if (this.#pump === null) this.#destination?.destroy();
    this.#protection?.close();
    this.#exchange.close();
    const { observer } = this.#options;
    const { subject } = this.#record;
    if (error !== null) {
      observer({ type: "session-failed", subject, step, code: error.code, reason: error.message });
    }
    const { up = 0, down = 0 } = this.#pump?.carried ?? {};
    const { opened = 0, sealed = 0 } = this.#sealed?.counters ?? {};
    const octets = { bytesUp: up, bytesDown: down, sealedUp: opened, sealedDown: sealed };
    observer({ type: "session-closed", record: this.#record.close(error, octets) });
    if (this.#socket.closed) this.#resolveDone();
    else this.#socket.once("close", this.#resolveDone);
  }

  #limit(timeout: number, code: string, what: string, rep?: number): void {
    clearTimeout(this.#deadline);
    if (!Number.isFinite(timeout)) return;
    this.#deadline = setTimeout(() => {
      const error = new NetworkError(code, `${what} ${timeout / 1000} s`, rep === undefined ? {} : { rep });
      this.#feed({ type: "failed", error });
    }, timeout);
  }
}

function endpoint(address = "0.0.0.0", port = 0): Endpoint {
  return { host: parseHost(address), port };
}

/** As curl does, which can't seal. */
function inClear(level: string | null): PeerError {
  return new PeerError(
    "CLEAR_REQUEST",
    `level ${level} was agreed, but the client sends its request in clear: a client that can't seal, as curl, needs a listener with protectionLevels: [none]`,
  );
}

/** Anything but one of our errors is a bug of ours; the session ends, the server goes on. */
function asError(error: unknown): GssocksError {
  if (error instanceof GssocksError) return error;
  return new InternalError("INTERNAL", `internal error: ${(error as Error)?.stack ?? String(error)}`, {
    cause: error,
  });
}

class InternalError extends GssocksError {}
