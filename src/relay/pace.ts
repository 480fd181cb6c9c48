import type { Readable, Writable } from "node:stream";
import type { Rate } from "../gss/rate.js";

/** Holds a sender back: for a receiver that is behind, and for the rates that bound what is carried. */
export class Pace {
  readonly #from: Readable;
  readonly #to: Writable;
  readonly #rates: readonly Rate[];
  readonly #over: () => boolean;
  #waits = false;

  /** @param over whether the sender is to be left alone */
  constructor(from: Readable, to: Writable, rates: readonly Rate[], over: () => boolean = () => false) {
    this.#from = from;
    this.#to = to;
    this.#rates = rates;
    this.#over = over;
  }

  /** So many octets have come. */
  charge(octets: number): void {
    const wait = this.#rates.reduce((longest, rate) => Math.max(longest, rate.charge(octets)), 0);
    if (wait === 0) return;
    this.#waits = true;
    this.#from.pause();
    setTimeout(() => {
      this.#waits = false;
      this.goOn();
    }, wait).unref();
  }

  /** Where nothing stands in the way. */
  goOn(): void {
    if (!this.#waits && !this.#to.writableNeedDrain && !this.#over()) this.#from.resume();
  }
}
