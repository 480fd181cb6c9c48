/**
 * Dials addresses, racing them as RFC 8305 ("happy eyeballs") says: the next address is tried when
 * the one before has failed or after 250 ms, and the first to answer wins. Node's own autoSelectFamily gives an address
 * up after that delay, which loses hosts that are merely slow; so the race is run here.
 */
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { NetworkError } from "../errors.js";
import { REP } from "../protocol/constants.js";
import { SOCKET_OPTIONS } from "./socket-options.js";

/** RFC 8305 §5: Connection Attempt Delay. */
const ATTEMPT_DELAY = 250;

export interface DialOptions {
  /** Milliseconds for all attempts together. */
  timeout: number;
  signal?: AbortSignal;
}

export interface Dialed {
  /** The one of the addresses that answered, as it was given. */
  address: string;
  /** Paused, with half-close allowed and Nagle off. */
  socket: Socket;
}

/**
 * Connects to the first of `addresses` that answers.
 * @throws NetworkError whose REP tells the cause (the first failure's; RFC 1928 §6)
 */
export function dial(
  addresses: readonly string[],
  port: number,
  { timeout, signal }: DialOptions,
): Promise<Dialed> {
  const dialing = new Dialing(addresses, port, timeout);
  if (signal === undefined) return dialing.done;
  const aborted = () => dialing.abort();
  signal.addEventListener("abort", aborted, { once: true });
  if (signal.aborted) aborted();
  return dialing.done.finally(() => signal.removeEventListener("abort", aborted));
}

/** {@link dial}, for those who look after its end themselves: a signal costs 15 µs. */
export class Dialing {
  readonly done: Promise<Dialed>;
  readonly #waiting: string[];
  readonly #running = new Set<Socket>();
  readonly #port: number;
  readonly #deadline: NodeJS.Timeout;
  readonly #localAddress: (address: string) => string | null;
  #won: (dialed: Dialed) => void = () => {};
  #lost: (error: NetworkError) => void = () => {};
  #next: NodeJS.Timeout | undefined;
  #firstFailure: NetworkError | null = null;

  /**
   * @param timeout milliseconds for all attempts together
   * @param localAddress the address of ours to connect from, to one of the addresses; null is the system's choice
   */
  constructor(
    addresses: readonly string[],
    port: number,
    timeout: number,
    localAddress: (address: string) => string | null = () => null,
  ) {
    this.done = new Promise((won, lost) => {
      this.#won = won;
      this.#lost = lost;
    });
    this.#waiting = [...addresses];
    this.#port = port;
    this.#localAddress = localAddress;
    this.#deadline = setTimeout(() => this.#lose(timedOut(addresses, port, timeout)), timeout);
    this.#attempt();
  }

  /** Gives up, where that is not decided yet. */
  abort(): void {
    this.#lose(new NetworkError("DIAL_ABORTED", "given up before the destination answered"));
  }

  #attempt(): void {
    clearTimeout(this.#next);
    const address = this.#waiting.shift();
    if (address === undefined) return;
    const from = this.#localAddress(address);
    const { allowHalfOpen, noDelay, keepAlive, highWaterMark } = SOCKET_OPTIONS;
    // Written out, not spread (docs/decisions, "Nothing is born old"); one that is left out here does not compile.
    const options: Record<keyof typeof SOCKET_OPTIONS, unknown> & NetConnectOpts = {
      allowHalfOpen,
      noDelay,
      keepAlive,
      highWaterMark,
      host: address,
      port: this.#port,
      localAddress: from ?? undefined,
    };
    const socket = connect(options);
    this.#running.add(socket);
    const failed = (error: NodeJS.ErrnoException) => {
      this.#running.delete(socket);
      this.#firstFailure ??= dialError(address, this.#port, error);
      if (this.#waiting.length > 0) this.#attempt();
      else if (this.#running.size === 0) this.#lose(this.#firstFailure);
    };
    socket.once("error", failed);
    socket.once("connect", () => {
      socket.removeListener("error", failed);
      this.#running.delete(socket);
      this.#stop();
      this.#won({ address, socket: socket.pause() });
    });
    if (this.#waiting.length > 0) this.#next = setTimeout(() => this.#attempt(), ATTEMPT_DELAY);
  }

  #lose(error: NetworkError): void {
    this.#stop();
    this.#lost(error);
  }

  #stop(): void {
    clearTimeout(this.#deadline);
    clearTimeout(this.#next);
    for (const socket of this.#running)
      socket
        .removeAllListeners("error")
        .on("error", () => {})
        .destroy();
    this.#running.clear();
  }
}

function timedOut(addresses: readonly string[], port: number, timeout: number): NetworkError {
  return new NetworkError(
    "DIAL_TIMEOUT",
    `no answer from ${addresses.join(", ")} port ${port} within ${timeout / 1000} s`,
    { rep: REP.TTL_EXPIRED },
  );
}

/** errno to REP. TTL expired stands for a time-out, as in Dante: the RFC has no other code for it. */
const REP_OF_ERRNO: Readonly<Record<string, number>> = {
  ENETUNREACH: REP.NETWORK_UNREACHABLE,
  ENETDOWN: REP.NETWORK_UNREACHABLE,
  EHOSTUNREACH: REP.HOST_UNREACHABLE,
  EHOSTDOWN: REP.HOST_UNREACHABLE,
  ECONNREFUSED: REP.CONNECTION_REFUSED,
  ETIMEDOUT: REP.TTL_EXPIRED,
  // No address of this family here: the network can't be reached from this host.
  EADDRNOTAVAIL: REP.NETWORK_UNREACHABLE,
  EAFNOSUPPORT: REP.NETWORK_UNREACHABLE,
  // Linux's answer where the route is a black hole, or where a link-local address does not tell its interface.
  EINVAL: REP.NETWORK_UNREACHABLE,
};

const WORDS: Readonly<Record<number, string>> = {
  [REP.NETWORK_UNREACHABLE]: "network unreachable",
  [REP.HOST_UNREACHABLE]: "host unreachable",
  [REP.CONNECTION_REFUSED]: "connection refused",
  [REP.TTL_EXPIRED]: "no answer",
};

/** Why `address` could not be reached. */
export function dialError(address: string, port: number, error: NodeJS.ErrnoException): NetworkError {
  const code = error.code ?? "unknown error";
  const rep = REP_OF_ERRNO[code] ?? REP.GENERAL_FAILURE;
  const words = WORDS[rep] === undefined ? code : `${WORDS[rep]} (${code})`;
  return new NetworkError("DESTINATION_REFUSED", `${address} port ${port}: ${words}`, { rep, cause: error });
}
