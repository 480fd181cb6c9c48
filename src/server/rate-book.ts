import { Rate } from "../gss/rate.js";

/** Rates by whose they are: all sessions that use one at the same time have the same. */
export class RateBook {
  readonly #entries = new Map<string, { rate: Rate; users: number }>();

  /** @returns the rate, and what gives it back */
  use(whose: string, octetsPerSecond: number): { rate: Rate; leave: () => void } {
    // One that a new configuration changed is another.
    const key = `${octetsPerSecond} ${whose}`;
    const entry = this.#entries.get(key) ?? { rate: new Rate(octetsPerSecond, key), users: 0 };
    entry.users += 1;
    this.#entries.set(key, entry);
    return { rate: entry.rate, leave: () => this.#leave(key, entry) };
  }

  #leave(key: string, entry: { users: number }): void {
    entry.users -= 1;
    if (entry.users === 0) this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}
