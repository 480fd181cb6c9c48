/**
 * Moves octets both ways between a client and a destination until both directions have ended: with backpressure (a slow
 * reader stops its sender, what is held stays bounded by one read and the socket's own mark), with half-close (an end on
 * one side becomes an end on the other, the opposite direction goes on), and with an idle and a total deadline.
 */
import type { Socket } from "node:net";
import { type GssocksError, PeerError } from "../errors.js";
import type { Rate } from "../gss/rate.js";
import { type Batch, writeBatch } from "./batch.js";
import type { Carrier, CarrierOptions } from "./carrier.js";
import { brokenBy, brokenEnd, cutOff, endProperly, holdOpen } from "./cut-off.js";
import { Deadlines } from "./deadlines.js";
import { CLEAR, type MessageProtection } from "./message-protection.js";
import { Pace } from "./pace.js";

export class Pump implements Carrier {
  readonly carried = { up: 0, down: 0 };
  readonly done: Promise<GssocksError | null>;
  readonly #options: CarrierOptions;
  readonly #deadlines: Deadlines;
  #active = performance.now();
  #finish: (error: GssocksError | null) => void = () => {};
  #open = 2;
  #finished = false;

  constructor(options: CarrierOptions) {
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const { client, destination, protection, destinationProtection = CLEAR, reply, rest, early } = options;
    holdOpen(client);
    holdOpen(destination);
    const idleFor = () => performance.now() - this.#active;
    this.#deadlines = new Deadlines(options, idleFor, (error) => this.abort(error));
    if (reply.length > 0) forward(destination, client, { buffers: [reply], release: () => {} });
    if (rest.length > 0) {
      this.carried.up += rest.length;
      forward(client, destination, destinationProtection.seal(rest));
    }
    if (early !== undefined && early.length > 0) {
      this.carried.down += early.length;
      forward(destination, client, protection.seal(early));
    }
    this.#flow(
      client,
      destination,
      "client",
      options.upRates ?? [],
      (octets) => {
        const plain = protection.open(octets);
        for (const buffer of plain.buffers) this.carried.up += buffer.length;
        return sealAll(destinationProtection, plain);
      },
      () => protection.end(),
    );
    this.#flow(
      destination,
      client,
      "destination",
      options.downRates ?? [],
      (octets) => {
        const plain = destinationProtection.open(octets);
        for (const buffer of plain.buffers) this.carried.down += buffer.length;
        return sealAll(protection, plain);
      },
      () => destinationProtection.end(),
    );
  }

  /** Ends both sides at once, with `reason`. */
  abort(reason: GssocksError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#deadlines.stop();
    cutOff(this.#options.client);
    cutOff(this.#options.destination);
    this.#finish(reason);
  }

  #flow(
    from: Socket,
    to: Socket,
    name: string,
    rates: readonly Rate[],
    convert: (octets: Buffer) => Batch,
    end: () => void,
  ): void {
    const pace = new Pace(from, to, rates, () => this.#finished);
    from.on("data", (octets) => {
      if (this.#finished) return;
      this.#active = performance.now();
      try {
        forward(from, to, convert(octets));
      } catch (error) {
        this.abort(error as GssocksError);
      }
      pace.charge(octets.length);
    });
    to.on("drain", () => {
      this.#active = performance.now();
      pace.goOn();
    });
    const ended = () => {
      const broken = brokenEnd(from);
      if (broken !== null) return this.abort(brokenBy(name, broken));
      try {
        end();
        endProperly(to);
      } catch (error) {
        this.abort(error as GssocksError);
      }
    };
    to.on("finish", () => this.#directionEnded());
    from.on("error", (error: NodeJS.ErrnoException) =>
      this.abort(brokenBy(name, error.code ?? error.message, error)),
    );
    from.on("close", () => {
      if (!from.readableEnded)
        this.abort(new PeerError("CLOSED_EARLY", `the ${name} closed before the transfer ended`));
    });
    // A side may have ended while we were still dialing.
    if (from.readableEnded) ended();
    else from.on("end", ended);
    pace.goOn();
  }

  #directionEnded(): void {
    this.#open -= 1;
    if (this.#open > 0 || this.#finished) return;
    this.#finished = true;
    this.#deadlines.stop();
    this.#finish(null);
  }
}

/** What was opened on one side, for the other one. */
function sealAll(protection: MessageProtection, plain: Batch): Batch {
  if (protection === CLEAR) return plain;
  const sealed = plain.buffers.map((buffer) => protection.seal(buffer));
  plain.release();
  return {
    buffers: sealed.flatMap(({ buffers }) => buffers),
    release: () => {
      for (const batch of sealed) batch.release();
    },
  };
}

/** Stops the sender while the receiver is behind. */
function forward(from: Socket, to: Socket, batch: Batch): void {
  writeBatch(to, batch);
  if (to.writableNeedDrain) from.pause();
}
