/**
 * Moves octets both ways between a client and a destination until both directions have ended: with backpressure (a slow
 * reader stops its sender, what is held stays bounded by one read and the socket's own mark), with half-close (an end on
 * one side becomes an end on the other, the opposite direction goes on), and with an idle and a total deadline.
 */
import type { Socket } from "node:net";
import { type GssocksError, NetworkError, PeerError } from "../errors.js";
import { type Batch, writeBatch } from "./batch.js";
import { cutOff } from "./cut-off.js";
import type { MessageProtection } from "./message-protection.js";

export interface PumpOptions {
  client: Socket;
  destination: Socket;
  /** Between us and the client. */
  protection: MessageProtection;
  /** Milliseconds without an octet in either direction; Infinity for no limit. */
  idleTimeout: number;
  /** Milliseconds in all; Infinity for no limit. */
  totalTimeout: number;
}

/** Plain octets carried; counts up while the pump runs. */
export interface Carried {
  /** Client to destination. */
  up: number;
  /** Destination to client. */
  down: number;
}

/** setTimeout takes no more than 2^31 - 1 ms. */
const MAX_TIMER = 2 ** 31 - 1;

export class Pump {
  readonly carried: Carried = { up: 0, down: 0 };
  /** Resolves when all has ended: null where both sides ended in good order, else why not. Never rejects. */
  readonly done: Promise<GssocksError | null>;
  readonly #options: PumpOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #idle: NodeJS.Timeout | null = null;
  #finish: (error: GssocksError | null) => void = () => {};
  #open = 2;
  #finished = false;

  /** @param rest plain octets from the client that are already here; they go first */
  constructor(options: PumpOptions, rest: Buffer) {
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const { client, destination, protection } = options;
    this.#startTimers();
    if (rest.length > 0) {
      this.carried.up += rest.length;
      forward(client, destination, { buffers: [rest], release: () => {} });
    }
    this.#flow(
      client,
      destination,
      "client",
      (octets) => {
        const batch = protection.open(octets);
        for (const buffer of batch.buffers) this.carried.up += buffer.length;
        return batch;
      },
      () => protection.end(),
    );
    this.#flow(destination, client, "destination", (octets) => {
      this.carried.down += octets.length;
      return protection.seal(octets);
    });
  }

  /** Ends both sides at once, with `reason`. */
  abort(reason: GssocksError): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const timer of this.#timers) clearTimeout(timer);
    cutOff(this.#options.client);
    cutOff(this.#options.destination);
    this.#finish(reason);
  }

  #flow(from: Socket, to: Socket, name: string, convert: (octets: Buffer) => Batch, end?: () => void): void {
    from.on("data", (octets) => {
      if (this.#finished) return;
      this.#idle?.refresh();
      try {
        forward(from, to, convert(octets));
      } catch (error) {
        this.abort(error as GssocksError);
      }
    });
    to.on("drain", () => {
      this.#idle?.refresh();
      from.resume();
    });
    const ended = () => {
      try {
        end?.();
        to.end();
      } catch (error) {
        this.abort(error as GssocksError);
      }
    };
    to.on("finish", () => this.#directionEnded());
    from.on("error", (error: NodeJS.ErrnoException) => this.abort(brokenBy(name, error)));
    from.on("close", () => {
      if (!from.readableEnded)
        this.abort(new PeerError("CLOSED_EARLY", `the ${name} closed before the transfer ended`));
    });
    // A side may have ended while we were still dialing.
    if (from.readableEnded) ended();
    else from.on("end", ended);
    if (!to.writableNeedDrain) from.resume();
  }

  #directionEnded(): void {
    this.#open -= 1;
    if (this.#open > 0 || this.#finished) return;
    this.#finished = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#finish(null);
  }

  #startTimers(): void {
    const { idleTimeout, totalTimeout } = this.#options;
    if (Number.isFinite(idleTimeout)) {
      this.#idle = this.#deadline(
        idleTimeout,
        "IDLE_TIMEOUT",
        `nothing was carried for ${idleTimeout / 1000} s`,
      );
    }
    if (Number.isFinite(totalTimeout)) {
      this.#deadline(
        totalTimeout,
        "TOTAL_TIMEOUT",
        `the session lasted ${totalTimeout / 1000} s, which is the limit`,
      );
    }
  }

  #deadline(timeout: number, code: string, message: string): NodeJS.Timeout {
    const timer = setTimeout(() => this.abort(new NetworkError(code, message)), Math.min(timeout, MAX_TIMER));
    this.#timers.push(timer);
    return timer;
  }
}

/** Stops the sender while the receiver is behind. */
function forward(from: Socket, to: Socket, batch: Batch): void {
  writeBatch(to, batch);
  if (to.writableNeedDrain) from.pause();
}

function brokenBy(name: string, error: NodeJS.ErrnoException): GssocksError {
  return new NetworkError(
    "CONNECTION_LOST",
    `the ${name}'s connection broke: ${error.code ?? error.message}`,
    { cause: error },
  );
}
