/** The life of a UDP association: as long as its TCP connection (RFC 1928 §7), and no longer than the timeouts. */
import type { Socket } from "node:net";
import { type GssocksError, NetworkError } from "../errors.js";
import type { Endpoint } from "../protocol/address.js";
import type { Carried } from "../relay/carrier.js";
import { cutOff } from "../relay/cut-off.js";
import type { UdpAssociation } from "../relay/udp-associate.js";
import type { Way } from "../relay/udp-destinations.js";
import { clientLost } from "./client-lost.js";

export interface AssociationTimeouts {
  /** Milliseconds; Infinity for no limit. */
  idle: number;
  total: number;
}

/** setTimeout takes no more than 2^31 - 1 ms. */
const MAX_TIMER = 2 ** 31 - 1;

export class Association {
  /** Resolves when it is over: null where the client ended it. Never rejects. */
  readonly done: Promise<GssocksError | null>;
  readonly #socket: Socket;
  readonly #relay: UdpAssociation;
  readonly #timeouts: AssociationTimeouts;
  readonly #timers: NodeJS.Timeout[] = [];
  #finish: (error: GssocksError | null) => void = () => {};
  #idleFor = 0;
  #seen = 0;

  constructor(socket: Socket, relay: UdpAssociation, timeouts: AssociationTimeouts) {
    this.#socket = socket;
    this.#relay = relay;
    this.#timeouts = timeouts;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get carried(): Carried {
    const { up, down } = this.#relay.carried;
    return { up: up.octets, down: down.octets };
  }

  /** Datagrams, for the log; of drops only those that there were. */
  get counts(): { datagramsUp: number; datagramsDown: number; dropped: Record<string, number> } {
    const { carried, dropped } = this.#relay;
    return {
      datagramsUp: carried.up.datagrams,
      datagramsDown: carried.down.datagrams,
      dropped: Object.fromEntries(Object.entries(dropped).filter(([, count]) => count > 0)),
    };
  }

  /** From the reply on: the connection carries nothing more but its end. */
  watch(): void {
    const { idle, total } = this.#timeouts;
    if (Number.isFinite(idle)) {
      // Looked at in tenths: datagrams should not cost a timer each.
      const look = Math.max(1, Math.min(idle, MAX_TIMER) / 10);
      this.#timers.push(setInterval(() => this.#look(look, idle), look));
    }
    if (Number.isFinite(total)) {
      const over = `the session lasted ${total / 1000} s, which is the limit`;
      const end = () => this.abort(new NetworkError("TOTAL_TIMEOUT", over));
      this.#timers.push(setTimeout(end, Math.min(total, MAX_TIMER)));
    }
    const ended = () => {
      this.#socket.end();
      this.#over(null);
    };
    this.#socket
      .on("data", () => {})
      .on("end", ended)
      .on("error", (error: NodeJS.ErrnoException) => this.#over(clientLost(error)))
      .on("close", () => this.#over(null))
      .resume();
    if (this.#socket.readableEnded) ended();
  }

  /** The rules have changed. */
  judgeAgain(allows: (dst: Endpoint, way: Way) => boolean): void {
    this.#relay.judgeAgain(allows);
  }

  /** Ends it at once, with `reason`. */
  abort(reason: GssocksError): void {
    cutOff(this.#socket);
    this.#over(reason);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#relay.close();
  }

  #look(passed: number, idle: number): void {
    const { up, down } = this.#relay.carried;
    const datagrams = up.datagrams + down.datagrams;
    this.#idleFor = datagrams === this.#seen ? this.#idleFor + passed : 0;
    this.#seen = datagrams;
    if (this.#idleFor >= idle)
      this.abort(new NetworkError("IDLE_TIMEOUT", `nothing was carried for ${idle / 1000} s`));
  }

  #over(error: GssocksError | null): void {
    this.close();
    this.#finish(error);
  }
}
