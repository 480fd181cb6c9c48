import type { GssocksError } from "../errors.js";

interface Waiter {
  client: string;
  go: () => void;
}

/**
 * So many at once, so many more that wait, and nobody whose work is slow keeps the others waiting: a client gets a place
 * while it holds less than a third of those that are left. Alone it comes to a quarter of all; the more clients there
 * are, the less each has; and the last places go to those that hold none. What waits is bounded in the same way.
 */
export class FairPlaces {
  readonly #places: number;
  readonly #seats: number;
  readonly #refuse: (client: string, ahead: number, waiting: number) => GssocksError;
  readonly #running = new Counts();
  readonly #ahead = new Counts();
  /** The one that has waited longest comes first. */
  readonly #waiting: Waiter[] = [];

  /**
   * @param places how many run at once
   * @param seats how many wait for that
   * @param refuse the error for one who finds too many waiting, `ahead` of them the same client's
   */
  constructor(
    places: number,
    seats: number,
    refuse: (client: string, ahead: number, waiting: number) => GssocksError,
  ) {
    this.#places = places;
    this.#seats = seats;
    this.#refuse = refuse;
  }

  /**
   * Resolves when there is a place; each is to be released once.
   * @throws at once where too many wait already; the signal's reason
   */
  acquire(client: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (hasRoom(this.#running, client, this.#places)) {
        this.#running.add(client);
        return resolve();
      }
      if (!hasRoom(this.#ahead, client, this.#seats)) {
        return reject(this.#refuse(client, this.#ahead.of(client), this.#ahead.total));
      }
      const aborted = () => {
        this.#leave(this.#waiting.indexOf(waiter));
        reject(signal.reason);
      };
      const go = () => {
        signal.removeEventListener("abort", aborted);
        resolve();
      };
      const waiter = { client, go };
      this.#waiting.push(waiter);
      this.#ahead.add(client);
      signal.addEventListener("abort", aborted, { once: true });
    });
  }

  release(client: string): void {
    this.#running.remove(client);
    // More than one at times: a place that is free raises what each may hold.
    for (;;) {
      const next = this.#waiting.findIndex((waiter) => hasRoom(this.#running, waiter.client, this.#places));
      if (next === -1) return;
      const waiter = this.#leave(next);
      this.#running.add(waiter.client);
      waiter.go();
    }
  }

  #leave(index: number): Waiter {
    const [waiter] = this.#waiting.splice(index, 1) as [Waiter];
    this.#ahead.remove(waiter.client);
    return waiter;
  }
}

function hasRoom(held: Counts, client: string, all: number): boolean {
  return held.of(client) * 3 < all - held.total;
}

class Counts {
  readonly #each = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  of(client: string): number {
    return this.#each.get(client) ?? 0;
  }

  add(client: string): void {
    this.#total += 1;
    this.#each.set(client, this.of(client) + 1);
  }

  remove(client: string): void {
    const left = this.of(client) - 1;
    this.#total -= 1;
    if (left > 0) this.#each.set(client, left);
    else this.#each.delete(client);
  }
}
