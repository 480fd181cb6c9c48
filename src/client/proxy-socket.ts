/**
 * A connection through the proxy that looks like a `net.Socket`, for agents and drivers that were written for one: it is
 * there at once and connects in the background, with the events, timers and settings of a TCP socket.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type GssocksError, NetworkError, UsageError } from "../errors.js";
import { parseHost } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import { aborted, onAbort } from "./abort.js";
import { openThrough } from "./handshake.js";
import type { HostPort, ProxyOptions, ProxySession } from "./proxy-options.js";
import { ProxyStream } from "./proxy-stream.js";

export interface SocketOptions extends ProxyOptions {
  /** Where the proxy is to connect to; where absent, nothing is opened until {@link ProxySocket.connect} says it. */
  destination?: HostPort | undefined;
  /** Go on writing when the other side has ended. Default false, as `net.connect` has it. */
  allowHalfOpen?: boolean | undefined;
}

/** What was called before there is a connection. */
interface Held {
  run: (stream: ProxyStream) => void;
  callback: (error?: Error | null) => void;
}

/** What timers take, as in `net`. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * A `net.Socket` for whoever takes one: `pg`, `mysql2`, `ioredis`, `ssh2`, `nodemailer` …
 *
 * @returns connecting already where the options name a destination. What fails is its `error` event, with the errors that
 *   {@link connect} throws
 */
export function createSocket(options: SocketOptions): ProxySocket & Socket {
  const socket = new ProxySocket(options);
  if (options.destination !== undefined) socket.connect(options.destination);
  return socket as ProxySocket & Socket;
}

export class ProxySocket extends Duplex {
  /** A connection was asked for and is not there yet. */
  connecting = false;
  bytesRead = 0;
  /** Milliseconds, by {@link setTimeout}. */
  timeout: number | undefined;
  readonly #options: SocketOptions;
  #destination: HostPort | null = null;
  readonly #giveUp = new AbortController();
  #heedNoMore: () => void = () => {};
  /** To the proxy. */
  #carrier: Socket | null = null;
  #stream: ProxyStream | null = null;
  #held: Held | null = null;
  readonly #settings = new Map<string, (carrier: Socket) => void>();
  #timer: NodeJS.Timeout | undefined;
  #bytesWritten = 0;

  constructor(options: SocketOptions) {
    // As net.Socket: `close` tells whether there was an error.
    super({ allowHalfOpen: options.allowHalfOpen === true, emitClose: false });
    this.#options = options;
    const { signal } = options;
    // Where it was aborted already: not before whoever made us listens, which Node's agents do in the next turn.
    if (signal?.aborted) queueMicrotask(() => this.destroy(aborted(signal)));
    else this.#heedNoMore = onAbort(signal, (error) => this.destroy(error));
  }

  /** What was agreed with the proxy; undefined before `connect`. */
  get session(): ProxySession | undefined {
    return this.#stream?.session;
  }

  /**
   * Opens the connection: `connect` and `ready` tell that it is there. Of the options, `host` and `port` count.
   * @throws UsageError (NO_PATH, SOCKET_USED)
   */
  connect(port: number | string, host?: string, listener?: () => void): this;
  connect(port: number | string, listener?: () => void): this;
  connect(options: { port: number; host?: string | undefined; path?: never }, listener?: () => void): this;
  connect(...args: unknown[]): this {
    const listener = args.find((arg) => typeof arg === "function") as (() => void) | undefined;
    const destination = destinationOf(args);
    if (this.#destination !== null) throw new UsageError("SOCKET_USED", "the socket connects once only");
    const dst = { host: parseHost(destination.host), port: destination.port };
    this.#destination = destination;
    if (listener !== undefined) this.once("connect", listener);
    if (this.destroyed) return this;
    this.connecting = true;
    const { signal: _heeded, ...options } = this.#options;
    openThrough({ ...options, signal: this.#giveUp.signal }, { cmd: CMD.CONNECT, dst }).then(
      (opened) => this.#opened(opened.socket, new ProxyStream(opened)),
      (error: GssocksError) => this.destroy(error),
    );
    return this;
  }

  #opened(carrier: Socket, stream: ProxyStream): void {
    if (this.destroyed) return void stream.on("error", () => {}).destroy();
    this.#carrier = carrier;
    this.#stream = stream;
    for (const set of this.#settings.values()) set(carrier);
    stream.on("data", (octets: Buffer) => this.#received(octets));
    stream.on("end", () => this.push(null));
    stream.on("error", (error) => this.destroy(asReset(error)));
    stream.on("close", () => {
      if (!stream.readableEnded) this.destroy();
    });
    this.connecting = false;
    this.#active();
    const held = this.#held;
    this.#held = null;
    held?.run(stream);
    this.emit("connect");
    this.emit("ready");
  }

  #received(octets: Buffer): void {
    this.bytesRead += octets.length;
    this.#active();
    if (!this.push(octets)) this.#stream?.pause();
  }

  override _read(): void {
    this.#stream?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Held["callback"]): void {
    this.#active();
    this.#whenOpen({
      run: (stream) =>
        stream.write(chunk, (error) => {
          if (!error) this.#bytesWritten += chunk.length;
          this.#active();
          callback(error);
        }),
      callback,
    });
  }

  /** As one message, where they fit. */
  override _writev(chunks: { chunk: Buffer }[], callback: Held["callback"]): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "utf8", callback);
  }

  override _final(callback: Held["callback"]): void {
    if (this.#destination === null) return callback();
    this.#whenOpen({ run: (stream) => stream.end(() => callback()), callback });
  }

  #whenOpen(held: Held): void {
    if (this.#stream !== null) held.run(this.#stream);
    else this.#held = held;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.connecting = false;
    clearTimeout(this.#timer);
    this.#heedNoMore();
    this.#giveUp.abort();
    this.#stream?.destroy();
    const held = this.#held;
    this.#held = null;
    held?.callback(error ?? new UsageError("CLOSED", "the socket was closed before it was connected"));
    callback(error);
    // Behind `error`, which the stream emits in a turn of its own.
    process.nextTick(() => this.emit("close", error !== null));
  }

  // --- What a TCP socket has besides --------------------------------------------------------------------------------

  /** Has `timeout` emitted when nothing was carried for so many milliseconds; 0 ends that. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    if (!(milliseconds >= 0)) throw new UsageError("BAD_ARGUMENT", `not a time: ${milliseconds}`);
    clearTimeout(this.#timer);
    this.timeout = milliseconds;
    if (listener !== undefined) {
      if (milliseconds === 0) this.off("timeout", listener);
      else this.once("timeout", listener);
    }
    if (milliseconds > 0 && !this.destroyed) {
      const timer = setTimeout(() => this.emit("timeout"), Math.min(milliseconds, LONGEST_TIMEOUT));
      this.#timer = timer.unref();
    }
    return this;
  }

  #active(): void {
    if (this.timeout) this.#timer?.refresh();
  }

  /** Of the connection to the proxy, as are the next three. */
  setNoDelay(noDelay = true): this {
    return this.#set("noDelay", (carrier) => carrier.setNoDelay(noDelay));
  }

  setKeepAlive(enable = false, initialDelay = 0): this {
    return this.#set("keepAlive", (carrier) => carrier.setKeepAlive(enable, initialDelay));
  }

  ref(): this {
    return this.#set("ref", (carrier) => carrier.ref());
  }

  /** From the time it is connected on, it keeps the process no longer. */
  unref(): this {
    return this.#set("ref", (carrier) => carrier.unref());
  }

  #set(name: string, set: (carrier: Socket) => void): this {
    this.#settings.set(name, set);
    if (this.#carrier !== null && !this.#carrier.destroyed) set(this.#carrier);
    return this;
  }

  /** Ends the writing side, and closes the socket when all is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  /** The same as `destroy()`: what was not ended is reset. */
  resetAndDestroy(): this {
    return this.destroy();
  }

  /** The proxy's address towards the destination, which sees it as its peer (BND of the reply). */
  address(): { address: string; family: string; port: number } | Record<string, never> {
    const { localAddress: address, localPort: port, localFamily: family } = this;
    if (address === undefined || port === undefined || family === undefined) return {};
    return { address, family, port };
  }

  get localAddress(): string | undefined {
    const host = this.session?.bnd.host;
    return host === undefined ? undefined : host.kind === "domain" ? host.name : host.address;
  }

  get localPort(): number | undefined {
    return this.session?.bnd.port;
  }

  get localFamily(): string | undefined {
    return familyOf(this.localAddress);
  }

  /** The destination's, as it was asked for: a name, where that was one. */
  get remoteAddress(): string | undefined {
    return this.#connected?.host;
  }

  get remotePort(): number | undefined {
    return this.#connected?.port;
  }

  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress);
  }

  get #connected(): HostPort | undefined {
    return this.#stream === null || this.destroyed ? undefined : (this.#destination ?? undefined);
  }

  /** Plain octets, those that wait among them. */
  get bytesWritten(): number {
    return this.#bytesWritten + this.writableLength;
  }

  get bufferSize(): number {
    return this.writableLength;
  }

  get pending(): boolean {
    return this.#stream === null;
  }

  get readyState(): "opening" | "open" | "readOnly" | "writeOnly" | "closed" {
    if (this.connecting) return "opening";
    if (this.pending) return "closed";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  /** Addresses are the proxy's to try. */
  readonly autoSelectFamilyAttemptedAddresses: string[] = [];
}

/** Drivers know an open connection that breaks by Node's code for it, and pass over it or try again. */
function asReset(error: Error): Error {
  const broken = error instanceof NetworkError && error.code === "CONNECTION_LOST";
  return broken ? new NetworkError("ECONNRESET", error.message, { cause: error }) : error;
}

function destinationOf([first, second]: unknown[]): HostPort {
  const at =
    typeof first === "object" && first !== null
      ? (first as { port?: unknown; host?: unknown; path?: unknown })
      : { port: first, host: second };
  const port = typeof at.port === "string" && /^\d+$/.test(at.port) ? Number(at.port) : at.port;
  if (("path" in at && at.path) || typeof port !== "number")
    throw new UsageError("NO_PATH", "a proxy connects to a host and a port, not to a path");
  return { host: typeof at.host === "string" && at.host !== "" ? at.host : "localhost", port };
}

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  return address.includes(":") ? "IPv6" : "IPv4";
}
