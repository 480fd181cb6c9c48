/**
 * BIND (RFC 1928 §4, §6): listens for the one connection that a client has announced, as an FTP server's in active mode.
 * Whoever else comes is reset and the wait goes on; when many of them come, the port is closed for the rest of a second,
 * so that a flood costs no more than that and those it hits are refused by the kernel.
 */
import { randomInt } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { NetworkError } from "../errors.js";
import { type Endpoint, formatEndpoint, parseHost, plainAddress } from "../protocol/address.js";
import { REP } from "../protocol/constants.js";
import { reset } from "./cut-off.js";
import { SOCKET_OPTIONS } from "./socket-options.js";

/** Strangers that are looked at in one second. */
const STRANGERS_PER_SECOND = 100;

/** Ports of a range that are tried at most: a wide range that is full must not cost a second of work. */
const MAX_TRIES = 256;

export interface BindOptions {
  /** The local address to listen on. */
  address: string;
  /** The ports to choose from, both ends included; null: the system picks. */
  ports: { first: number; last: number } | null;
  /** Whether the connection is the expected one; an IPv4-mapped address comes as IPv4. */
  accepts: (peerAddress: string) => boolean;
  /** Milliseconds until somebody must have connected. */
  timeout: number;
  signal: AbortSignal;
}

export interface Bound {
  /** Where it listens: BND.ADDR and BND.PORT of the first reply. */
  readonly bnd: Endpoint;
  /**
   * The first connection that is accepted: paused, with half-close allowed and Nagle off. It is the caller's from then on.
   * Rejects with NetworkError (BIND_TIMEOUT, REP 0x06; BIND_ABORTED, also after `close`; BIND_FAILED, the port was lost).
   */
  readonly peer: Promise<Socket>;
  /** Gives the wait up; nothing where it is over. */
  close(): void;
}

/** @throws NetworkError (BIND_FAILED: no port is free, or the address can't be had; BIND_ABORTED; both REP 0x01) */
export async function bind(options: BindOptions): Promise<Bound> {
  const wait = new Wait(options);
  await wait.begin();
  return wait;
}

class Wait implements Bound {
  readonly peer: Promise<Socket>;
  readonly #options: BindOptions;
  #resolve: (socket: Socket) => void = () => {};
  #reject: (error: NetworkError) => void = () => {};
  #bnd: Endpoint | null = null;
  /** null while the port is closed. */
  #server: Server | null = null;
  #over = false;
  #deadline: NodeJS.Timeout | undefined;
  #second: NodeJS.Timeout | undefined;
  #strangers = 0;
  #strangersThisSecond = 0;

  constructor(options: BindOptions) {
    this.#options = options;
    this.peer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever closes need not look at it.
    this.peer.catch(() => {});
  }

  get bnd(): Endpoint {
    return this.#bnd as Endpoint;
  }

  async begin(): Promise<void> {
    const { address, ports, timeout, signal } = this.#options;
    let failure: NodeJS.ErrnoException | null = null;
    for (const port of candidates(ports)) {
      if (signal.aborted) throw aborted();
      failure = await this.#listen(port);
      if (failure?.code !== "EADDRINUSE") break;
    }
    if (failure !== null) throw cannotBind(address, ports, failure);
    if (signal.aborted) {
      this.#shut();
      throw aborted();
    }
    signal.addEventListener("abort", this.#aborted, { once: true });
    this.#deadline = setTimeout(() => this.#fail(this.#timedOut()), timeout);
  }

  close(): void {
    this.#fail(aborted());
  }

  readonly #aborted = (): void => this.close();

  /** @returns the error, or null once it listens */
  #listen(port: number): Promise<NodeJS.ErrnoException | null> {
    const server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }, this.#arrived);
    return new Promise((resolve) => {
      server.once("error", resolve);
      server.listen({ host: this.#options.address, port }, () => {
        // Descriptors have run out, or the like: the connection at hand is lost, the wait goes on.
        server.on("error", () => {});
        const bound = server.address() as AddressInfo;
        this.#bnd = { host: parseHost(bound.address), port: bound.port };
        this.#server = server;
        resolve(null);
      });
    });
  }

  readonly #arrived = (socket: Socket): void => {
    if (this.#over) return reset(socket);
    const { remoteAddress } = socket;
    // Undefined: gone before we looked.
    if (remoteAddress === undefined || !this.#options.accepts(plainAddress(remoteAddress))) {
      return this.#turnAway(socket);
    }
    this.#end();
    this.#resolve(socket);
  };

  #turnAway(stranger: Socket): void {
    reset(stranger);
    this.#strangers += 1;
    this.#strangersThisSecond += 1;
    if (this.#strangersThisSecond === 1) this.#second = setTimeout(() => void this.#nextSecond(), 1000);
    if (this.#strangersThisSecond >= STRANGERS_PER_SECOND) this.#shut();
  }

  async #nextSecond(): Promise<void> {
    this.#strangersThisSecond = 0;
    if (this.#server !== null) return;
    const failure = await this.#listen(this.bnd.port);
    if (this.#over) this.#shut();
    else if (failure !== null) this.#fail(portLost(this.bnd, failure));
  }

  #fail(error: NetworkError): void {
    if (this.#over) return;
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#second);
    this.#options.signal.removeEventListener("abort", this.#aborted);
    this.#shut();
  }

  /** Takes no further connections; the kernel resets those it has queued. */
  #shut(): void {
    this.#server?.close();
    this.#server = null;
  }

  #timedOut(): NetworkError {
    const others = this.#strangers === 0 ? "" : `; connections from elsewhere, all reset: ${this.#strangers}`;
    const message = `nobody who was expected connected to ${formatEndpoint(this.bnd)} within ${this.#options.timeout / 1000} s${others}`;
    return new NetworkError("BIND_TIMEOUT", message, { rep: REP.TTL_EXPIRED });
  }
}

/** In random order: whoever wants to get in first, or to use the range up, can't tell which is next. */
function* candidates(ports: BindOptions["ports"]): Generator<number> {
  if (ports === null) return yield 0;
  const left = Array.from({ length: ports.last - ports.first + 1 }, (_, index) => ports.first + index);
  for (let tries = 0; tries < MAX_TRIES && left.length > 0; tries += 1) {
    const index = randomInt(left.length);
    const port = left[index] as number;
    left[index] = left.at(-1) as number;
    left.pop();
    yield port;
  }
}

function aborted(): NetworkError {
  return new NetworkError("BIND_ABORTED", "given up before anybody connected");
}

function cannotBind(
  address: string,
  ports: BindOptions["ports"],
  error: NodeJS.ErrnoException,
): NetworkError {
  const where = ports === null ? address : `${address} ports ${ports.first} to ${ports.last}`;
  const full = error.code === "EADDRINUSE" && ports !== null;
  const why = full ? "none of those tried is free" : (error.code ?? error.message);
  return new NetworkError("BIND_FAILED", `can't listen on ${where}: ${why}`, { cause: error });
}

function portLost(bnd: Endpoint, error: NodeJS.ErrnoException): NetworkError {
  const message = `${formatEndpoint(bnd)} was closed because of too many strangers and can't be opened again: ${error.code}`;
  return new NetworkError("BIND_FAILED", message, { cause: error });
}
