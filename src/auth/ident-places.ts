import { PolicyError } from "../errors.js";

/** One host's share of the places: a host that does not answer shall not keep the others waiting. */
const HOST_SHARE = 1 / 4;

interface Waiter {
  host: string;
  go: () => void;
}

/** How many queries run, and which comes next: the one that has waited longest and whose host has room. */
export class IdentPlaces {
  readonly #places: number;
  readonly #seats: number;
  readonly #running = new Map<string, number>();
  readonly #waiting: Waiter[] = [];
  #total = 0;

  /**
   * @param places queries that run at once
   * @param seats queries that wait for that
   */
  constructor(places: number, seats: number) {
    this.#places = places;
    this.#seats = seats;
  }

  /**
   * Resolves when there is a place; each is to be released once.
   * @throws PolicyError (IDENT_BUSY) at once where too many wait already, or the signal's reason
   */
  acquire(host: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#hasRoom(host)) {
        this.#take(host);
        return resolve();
      }
      const ahead = this.#waiting.filter((waiter) => waiter.host === host).length;
      if (this.#waiting.length >= this.#seats || ahead >= share(this.#seats)) {
        const message = `too many ident queries wait already, ${ahead} of ${this.#waiting.length} for ${host}`;
        return reject(new PolicyError("IDENT_BUSY", message));
      }
      const aborted = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const go = () => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      const waiter = { host, go };
      this.#waiting.push(waiter);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  release(host: string): void {
    const running = this.#runningFor(host) - 1;
    if (running > 0) this.#running.set(host, running);
    else this.#running.delete(host);
    this.#total -= 1;
    const next = this.#waiting.findIndex((waiter) => this.#hasRoom(waiter.host));
    if (next === -1) return;
    for (const waiter of this.#waiting.splice(next, 1)) {
      this.#take(waiter.host);
      waiter.go();
    }
  }

  #hasRoom(host: string): boolean {
    return this.#total < this.#places && this.#runningFor(host) < share(this.#places);
  }

  #runningFor(host: string): number {
    return this.#running.get(host) ?? 0;
  }

  #take(host: string): void {
    this.#total += 1;
    this.#running.set(host, this.#runningFor(host) + 1);
  }
}

function share(places: number): number {
  return Math.ceil(places * HOST_SHARE);
}
