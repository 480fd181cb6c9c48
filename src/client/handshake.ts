/** The handshake with a SOCKS5 proxy by the GSS-API method (RFC 1928, RFC 1961): from its address to the reply. */
import type { Socket } from "node:net";
import { GssocksError, NetworkError, PolicyError } from "../errors.js";
import type { Credential } from "../gss/credential.js";
import { DEFAULT_INITIATOR_FLAGS, GSS_C_DELEG_FLAG, GSS_C_MUTUAL_FLAG } from "../gss/flags.js";
import { Name } from "../gss/name.js";
import { mechanismName } from "../gss/oids.js";
import { SecurityContext } from "../gss/security-context.js";
import { type Endpoint, parseHost } from "../protocol/address.js";
import { type ClientEffect, type ClientInput, ClientMachine } from "../protocol/client-machine.js";
import { CMD, MTYP } from "../protocol/constants.js";
import { encodeGssapiMessage } from "../protocol/gssapi-message.js";
import { levelToOctet, type ProtectionLevel } from "../protocol/protection-level.js";
import { type Batch, writeBatch } from "../relay/batch.js";
import { dial } from "../relay/dialer.js";
import { CLEAR, ContextProtection, type MessageProtection } from "../relay/message-protection.js";
import { Resolver } from "../relay/resolver.js";
import { checkOrder } from "../relay/token-engine.js";
import { type ProxyChannel, type ProxyTlsOptions, secure } from "./proxy-tls.js";

export interface HostPort {
  /** A name or an IP address. */
  host: string;
  port: number;
}

/** How to reach the proxy, and what to accept from it. */
export interface ProxyOptions {
  proxy: HostPort;
  /** Protection levels accepted; the first is offered. Default: confidentiality alone. */
  levels?: readonly [ProtectionLevel, ...ProtectionLevel[]];
  /** The service of the proxy's host-based name, `service@host`. Default `rcmd`, as curl and Dante ask for. */
  service?: string;
  /** The caller's ticket; the library's default (the user's ccache) where absent. */
  credential?: Credential;
  /** A mechanism's OID; the library's default where absent. */
  mechanism?: string;
  /** Send the protection level bare, as NEC's implementation did. */
  nec?: boolean;
  /** Protect data without the library's calls, where the context allows it. Default true. */
  fastPath?: boolean;
  /** Give the proxy our ticket to use (GSS_C_DELEG_FLAG). Default false. */
  delegate?: boolean;
  /** Milliseconds until the destination must be open. Default 60 s. */
  timeout?: number;
  signal?: AbortSignal;
  /** TLS to the proxy; GSS-API is bound to it. */
  tls?: ProxyTlsOptions | undefined;
}

/** What the proxy is asked for. */
export interface Wanted {
  cmd: number;
  dst: Endpoint;
  /** Of {@link DEFAULT_INITIATOR_FLAGS}, those that are not to be asked for. */
  withoutFlags?: number;
}

/** What was agreed on the way. */
export interface ProxySession {
  /** Our principal. */
  initiator: string;
  /** The proxy's principal. */
  acceptor: string;
  /** The mechanism's name, as `krb5`. */
  mechanism: string;
  level: ProtectionLevel;
  /** BND.ADDR and BND.PORT of the reply. */
  bnd: Endpoint;
}

/** After the reply. Socket, context and protection are the caller's. */
export interface Opened {
  /** Paused. */
  socket: Socket;
  context: SecurityContext;
  protection: MessageProtection;
  session: ProxySession;
  /** Plain octets that came behind the reply. */
  rest: Buffer;
}

const DEFAULT_TIMEOUT = 60_000;

/** For all of the process: programs open many connections through one proxy at once. */
const resolver = new Resolver();

/**
 * @throws NetworkError (the proxy or the destination can't be reached), GssError (no ticket, expired, unknown name …),
 *   PolicyError (LEVEL_REFUSED, RULE_DENIED, NO_ACCEPTABLE_METHOD), PeerError (the proxy breaks the protocol)
 */
export async function openThrough(options: ProxyOptions, wanted: Wanted): Promise<Opened> {
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  const deadline = performance.now() + timeout;
  const { signal } = options;
  const target = Name.import(`${options.service ?? "rcmd"}@${options.proxy.host}`, "hostbased");
  try {
    const left = () => Math.max(1, deadline - performance.now());
    const plain = await reach(options.proxy, left, signal);
    const channel = await secured(plain, options, left());
    return await new Promise(
      (done, fail) => new Handshake(channel, target, options, wanted, left(), done, fail),
    );
  } finally {
    target.close();
  }
}

async function reach({ host, port }: HostPort, left: () => number, signal?: AbortSignal): Promise<Socket> {
  try {
    const address = parseHost(host);
    const addresses =
      address.kind === "domain"
        ? await resolver.resolve(address.name, "this process", { timeout: left(), signal })
        : [address.address];
    const timeout = left();
    const { socket } = await dial(addresses, port, signal === undefined ? { timeout } : { timeout, signal });
    return socket;
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    throw new NetworkError(
      "PROXY_UNREACHABLE",
      `the proxy ${host} port ${port} can't be reached: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

async function secured(
  socket: Socket,
  { proxy, tls, signal }: ProxyOptions,
  timeout: number,
): Promise<ProxyChannel> {
  if (tls === undefined) return { socket, bindings: undefined };
  const late = AbortSignal.timeout(Math.ceil(timeout));
  return secure(socket, proxy.host, tls, signal === undefined ? late : AbortSignal.any([signal, late]));
}

/** The driver of the client machine. */
class Handshake {
  readonly #socket: Socket;
  readonly #options: ProxyOptions;
  readonly #machine: ClientMachine;
  readonly #context: SecurityContext;
  readonly #done: (opened: Opened) => void;
  readonly #fail: (error: Error) => void;
  readonly #deadline: NodeJS.Timeout;
  #protection: MessageProtection | null = null;
  #level: ProtectionLevel = "none";
  #rest: Buffer | null = null;
  readonly #fastPath: boolean;

  constructor(
    { socket, bindings }: ProxyChannel,
    target: Name,
    options: ProxyOptions,
    { cmd, dst, withoutFlags = 0 }: Wanted,
    timeout: number,
    done: (opened: Opened) => void,
    fail: (error: Error) => void,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#done = done;
    this.#fail = fail;
    const { levels = ["confidentiality"], nec = false, credential, mechanism, fastPath = true } = options;
    // Datagrams need the context.
    this.#fastPath = fastPath && cmd !== CMD.UDP_ASSOCIATE;
    this.#machine = new ClientMachine({ cmd, dst, levels, nec });
    this.#context = SecurityContext.initiator({
      target,
      credential,
      mechanism,
      channelBindings: bindings,
      flags: (DEFAULT_INITIATOR_FLAGS & ~withoutFlags) | (options.delegate === true ? GSS_C_DELEG_FLAG : 0),
    });
    this.#deadline = setTimeout(() => this.#failed(timedOut(options.proxy)), timeout);
    options.signal?.addEventListener("abort", this.#aborted, { once: true });
    socket
      .on("data", this.#onData)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onEnd);
    socket.resume();
    this.#feed({ type: "start" });
  }

  readonly #onData = (octets: Buffer): void => this.#received(octets);
  readonly #onEnd = (): void => this.#feed({ type: "ended" });
  readonly #onError = (error: NodeJS.ErrnoException): void => this.#failed(lost(this.#options.proxy, error));
  readonly #aborted = (): void => this.#failed(new NetworkError("ABORTED", "given up by the caller"));

  #failed(error: GssocksError): void {
    this.#feed({ type: "failed", error });
  }

  #received(octets: Buffer): void {
    try {
      const batch: Batch = (this.#protection ?? CLEAR).open(octets);
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
        return writeBatch(this.#socket, (this.#protection ?? CLEAR).seal(effect.octets));
      case "init":
        void this.#init(effect.token);
        return;
      case "seal-level": {
        const octets = Buffer.from([levelToOctet(effect.level)]);
        // RFC 1961 §4.4: wrapped with conf_req FALSE.
        const token = effect.nec ? octets : this.#context.wrap(octets, false);
        this.#socket.write(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, token));
        return;
      }
      case "open-level":
        return this.#openLevel(effect.token);
      case "protect":
        return this.#protect(effect.level, effect.rest);
      case "relay":
        return this.#relay(effect);
      case "refuse":
        return this.#refuse(effect.error);
    }
  }

  async #init(token: Buffer | null): Promise<void> {
    try {
      const { complete, token: output } = await this.#context.init(token);
      if (complete && (this.#context.flags & GSS_C_MUTUAL_FLAG) === 0) {
        throw new PolicyError("NOT_MUTUAL", "the proxy did not prove who it is (no mutual authentication)");
      }
      this.#feed({ type: "initiated", complete, token: output });
    } catch (error) {
      this.#failed(error as GssocksError);
    }
  }

  #openLevel(token: Buffer): void {
    const { message, supplementary } = this.#context.unwrap(token);
    checkOrder(supplementary);
    this.#feed({ type: "level-opened", octets: message });
  }

  #protect(level: ProtectionLevel, rest: Buffer): void {
    this.#level = level;
    this.#protection = level === "none" ? CLEAR : new ContextProtection(this.#context, level);
    if (rest.length > 0) this.#rest = rest;
  }

  #relay({ bnd, rest }: Extract<ClientEffect, { type: "relay" }>): void {
    this.#release();
    const { initiator, acceptor, mechanism } = this.#context.inquire();
    if (this.#fastPath && this.#protection instanceof ContextProtection) this.#protection.accelerate();
    const session: ProxySession = {
      initiator,
      acceptor,
      mechanism: mechanismName(mechanism),
      level: this.#level,
      bnd,
    };
    this.#socket.pause();
    this.#done({
      socket: this.#socket,
      context: this.#context,
      protection: this.#protection ?? CLEAR,
      session,
      rest,
    });
  }

  #refuse(error: GssocksError): void {
    this.#release();
    this.#protection?.close();
    this.#context.close();
    // RFC 1961 §3.5, §4.4: the client closes; there is no message for it.
    this.#socket.on("error", () => {}).destroy();
    this.#fail(error);
  }

  #release(): void {
    clearTimeout(this.#deadline);
    this.#options.signal?.removeEventListener("abort", this.#aborted);
    const socket = this.#socket;
    socket
      .off("data", this.#onData)
      .off("end", this.#onEnd)
      .off("error", this.#onError)
      .off("close", this.#onEnd);
  }
}

function timedOut({ host, port }: HostPort): NetworkError {
  return new NetworkError("TIMEOUT", `the proxy ${host} port ${port} did not open the destination in time`);
}

function lost({ host, port }: HostPort, error: NodeJS.ErrnoException): NetworkError {
  const message = `the connection to the proxy ${host} port ${port} broke: ${error.code ?? error.message}`;
  return new NetworkError("CONNECTION_LOST", message, { cause: error });
}
