/** The handshake with a SOCKS5 proxy over an open connection (RFC 1928, RFC 1929, RFC 1961), up to its last reply. */
import type { Socket } from "node:net";
import { GssocksError, NetworkError, PolicyError } from "../errors.js";
import { DEFAULT_INITIATOR_FLAGS, GSS_C_DELEG_FLAG, GSS_C_MUTUAL_FLAG } from "../gss/flags.js";
import type { Name } from "../gss/name.js";
import { SecurityContext } from "../gss/security-context.js";
import type { Endpoint } from "../protocol/address.js";
import { ClientMachine } from "../protocol/client-machine.js";
import type { ClientEffect, ClientInput, ClientMethod } from "../protocol/client-state.js";
import { CMD, MTYP } from "../protocol/constants.js";
import { encodeGssapiMessage } from "../protocol/gssapi-message.js";
import { levelToOctet, type ProtectionLevel } from "../protocol/protection-level.js";
import type { Credentials } from "../protocol/username-password.js";
import { type Batch, writeBatch } from "../relay/batch.js";
import { holdOpen, letGo } from "../relay/cut-off.js";
import { CLEAR, ContextProtection, type MessageProtection } from "../relay/message-protection.js";
import { checkOrder } from "../relay/token-engine.js";
import { onAbort } from "./abort.js";
import { abandoned, lostProxy, reachable, timedOut } from "./proxy-channel.js";
import {
  methodsOf,
  NOBODY,
  namesOf,
  type Opened,
  type ProxyOptions,
  type ProxySession,
  type SessionNames,
  type Wanted,
} from "./proxy-options.js";
import type { ProxyChannel } from "./proxy-tls.js";

/** What the handshake shows itself with; it owns both. */
export interface Identity {
  /** The proxy's name; null without the method `gssapi`. */
  target: Name | null;
  credentials: Credentials | undefined;
}

/** What becomes of the handshake. */
export interface HandshakeEnd {
  /** BIND's first reply; `failed` or `opened` follows. */
  bound(bnd: Endpoint): void;
  opened(opened: Opened): void;
  failed(error: Error): void;
}

export interface Deadlines {
  /** Milliseconds until the first reply. */
  first: number;
  /** Milliseconds from there to BIND's second one; as long as it takes where absent. */
  second?: number | undefined;
}

/** The driver of the client machine. */
export class Handshake {
  readonly #socket: Socket;
  readonly #bindings: Buffer | undefined;
  readonly #options: ProxyOptions;
  readonly #identity: Identity;
  readonly #withoutFlags: number;
  readonly #machine: ClientMachine;
  readonly #end: HandshakeEnd;
  readonly #deadlines: Deadlines;
  #deadline: NodeJS.Timeout | undefined;
  #heedNoMore: () => void = () => {};
  #gaveUp = false;
  #method: ClientMethod = "none";
  #context: SecurityContext | null = null;
  #names: SessionNames = NOBODY;
  #protection: MessageProtection = CLEAR;
  #level: ProtectionLevel = "none";
  #rest: Buffer | null = null;
  readonly #fastPath: boolean;

  constructor(
    { socket, bindings }: ProxyChannel,
    options: ProxyOptions,
    identity: Identity,
    { cmd, dst, withoutFlags = 0 }: Wanted,
    deadlines: Deadlines,
    end: HandshakeEnd,
  ) {
    this.#socket = socket;
    this.#bindings = bindings;
    this.#options = options;
    this.#identity = identity;
    this.#withoutFlags = withoutFlags;
    this.#deadlines = deadlines;
    this.#end = end;
    const { levels = ["confidentiality"], nec = false, fastPath = true, hops } = options;
    // Datagrams need the context.
    this.#fastPath = fastPath && cmd !== CMD.UDP_ASSOCIATE;
    const { credentials } = identity;
    this.#machine = new ClientMachine({
      cmd,
      dst,
      methods: methodsOf(options),
      credentials,
      hops,
      levels,
      nec,
    });
  }

  start(): void {
    const { signal, proxy } = this.#options;
    this.#deadline = setTimeout(() => this.#failed(timedOut(proxy)), this.#deadlines.first);
    this.#socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onEnd);
    this.#socket.resume();
    this.#heedNoMore = onAbort(signal, (error) => this.#failed(error));
    this.#feed({ type: "start" });
  }

  /** Where that is not decided yet. */
  giveUp(): void {
    this.#failed(abandoned());
  }

  readonly #onData = (octets: Buffer): void => this.#received(octets);
  readonly #onEnd = (): void => this.#feed({ type: "ended" });
  readonly #onError = (error: NodeJS.ErrnoException): void =>
    this.#failed(lostProxy(this.#options.proxy, error));

  #failed(error: GssocksError): void {
    this.#gaveUp = true;
    this.#feed({ type: "failed", error });
  }

  #received(octets: Buffer): void {
    try {
      const batch: Batch = this.#protection.open(octets);
      // In one piece: what stands behind the reply belongs to the stream that the reply makes.
      const plain = Buffer.concat(batch.buffers);
      batch.release();
      this.#feed({ type: "octets", octets: plain });
    } catch (error) {
      this.#failed(error as GssocksError);
    }
  }

  #feed(input: ClientInput): void {
    for (const effect of this.#machine.feed(input)) {
      try {
        this.#carryOut(effect);
      } catch (error) {
        if (!(error instanceof GssocksError)) throw error;
        this.#failed(error);
        return;
      }
    }
    // Only now: the request goes out before anything that the proxy sent too early is looked at.
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.#received(rest);
  }

  #carryOut(effect: ClientEffect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect);
      case "method":
        this.#method = effect.method;
        return;
      case "init":
        void this.#init(effect.token);
        return;
      case "seal-level":
        return this.#sealLevel(effect);
      case "open-level":
        return this.#openLevel(effect.token);
      case "protect":
        return this.#protect(effect.level, effect.rest);
      case "bound":
        return this.#bound(effect.bnd);
      case "relay":
        return this.#relay(effect);
      case "refuse":
        return this.#refuse(effect.error);
    }
  }

  #send({ octets, secret }: Extract<ClientEffect, { type: "send" }>): void {
    if (this.#machine.state === "reply") {
      this.#options.requested?.();
      // An end would be that of our data alone, and the proxy would go on for nobody; so it would if we were killed.
      holdOpen(this.#socket);
    }
    const wipe = secret ? () => octets.fill(0) : undefined;
    writeBatch(this.#socket, this.#protection.seal(octets), wipe);
  }

  /** The one of the session, made when it is first needed. */
  get #securityContext(): SecurityContext {
    const { target } = this.#identity;
    if (target === null) throw new Error("handshake: the method gssapi without a target");
    const { credential, mechanism, delegate } = this.#options;
    this.#context ??= SecurityContext.initiator({
      target,
      credential,
      mechanism,
      channelBindings: this.#bindings,
      flags: (DEFAULT_INITIATOR_FLAGS & ~this.#withoutFlags) | (delegate === true ? GSS_C_DELEG_FLAG : 0),
    });
    return this.#context;
  }

  async #init(token: Buffer | null): Promise<void> {
    const context = this.#securityContext;
    try {
      const { complete, token: output } = await context.init(token);
      if (complete && (context.flags & GSS_C_MUTUAL_FLAG) === 0) {
        throw new PolicyError("NOT_MUTUAL", "the proxy did not prove who it is (no mutual authentication)");
      }
      // Not later: a context tells nobody's name any more when its ticket has ended, and BIND's peer may take its time.
      if (complete) this.#names = namesOf(context);
      this.#feed({ type: "initiated", complete, token: output });
    } catch (error) {
      this.#failed(error as GssocksError);
    }
  }

  #sealLevel({ level, nec }: Extract<ClientEffect, { type: "seal-level" }>): void {
    const octets = Buffer.from([levelToOctet(level)]);
    // RFC 1961 §4.4: wrapped with conf_req FALSE.
    const token = nec ? octets : this.#securityContext.wrap(octets, false);
    this.#socket.write(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, token));
  }

  #openLevel(token: Buffer): void {
    const { message, supplementary } = this.#securityContext.unwrap(token);
    checkOrder(supplementary);
    this.#feed({ type: "level-opened", octets: message });
  }

  #protect(level: ProtectionLevel, rest: Buffer): void {
    this.#level = level;
    if (level !== "none") this.#protection = new ContextProtection(this.#securityContext, level);
    if (rest.length > 0) this.#rest = rest;
  }

  #bound(bnd: Endpoint): void {
    clearTimeout(this.#deadline);
    const { second } = this.#deadlines;
    if (second !== undefined) this.#deadline = setTimeout(() => this.#failed(nobodyCame()), second);
    this.#end.bound(reachable(bnd, this.#socket));
  }

  #relay({ bnd, rest }: Extract<ClientEffect, { type: "relay" }>): void {
    this.#release();
    const context = this.#context;
    const protection = this.#protection;
    const session: ProxySession = {
      method: this.#method,
      ...this.#names,
      level: this.#level,
      bnd,
    };
    if (this.#fastPath && protection instanceof ContextProtection) protection.accelerate();
    letGo(this.#socket.pause());
    this.#end.opened({ socket: this.#socket, context, protection, session, rest });
  }

  #refuse(error: GssocksError): void {
    this.#release();
    this.#protection.close();
    this.#context?.close();
    if (!this.#gaveUp) letGo(this.#socket);
    // RFC 1961 §3.5, §4.4: the client closes; there is no message for it.
    this.#socket.on("error", () => {}).destroy();
    this.#end.failed(error);
  }

  #release(): void {
    clearTimeout(this.#deadline);
    this.#identity.target?.close();
    this.#identity.credentials?.password.fill(0);
    this.#heedNoMore();
    const socket = this.#socket;
    socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onEnd);
  }
}

function nobodyCame(): NetworkError {
  return new NetworkError("TIMEOUT", "nobody has connected to the proxy for us in time");
}
