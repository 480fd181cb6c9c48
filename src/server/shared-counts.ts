/**
 * What counts across connections, and so across the processes that serve them. One process counts for itself; where there
 * are several, one counts and the others ask it.
 */
import { PasswordThrottle, type Throttle } from "../auth/password-throttle.js";

/** A part of something that there is `most` of. */
export interface Place {
  /** What is counted, as `sessions`; all that say the same are counted together. */
  readonly key: string;
  readonly most: number;
  /** Milliseconds in which `most` come back by themselves, bit by bit. Absent: they come back when they are released. */
  readonly within?: number;
  /** How much of it; 1 by default, and 0 only looks whether there is any. */
  readonly amount?: number;
}

export interface Places {
  /**
   * Takes all of them, or none where one is not to be had: that one is the answer, null where they are taken. Each that does
   * not come back by itself is to be released once.
   */
  take(places: readonly Place[]): Promise<Place | null>;
  release(keys: readonly string[]): void;
  /** Takes what was used already, of places that come back by themselves. The answer is the first that is used up, or null. */
  spend(places: readonly Place[]): Promise<Place | null>;
}

export interface SharedCounts {
  readonly places: Places;
  readonly passwords: Throttle;
}

/** Keys of what comes back by itself that are remembered; past this the one that was used longest ago is forgotten. */
const CAPACITY = 100_000;

/** Holds one entry for each key of which something is taken. */
export class LocalPlaces implements Places {
  readonly #taken = new Map<string, number>();
  readonly #used: Buckets;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#used = new Buckets(now, CAPACITY);
  }

  async take(places: readonly Place[]): Promise<Place | null> {
    return this.takeNow(places);
  }

  takeNow(places: readonly Place[]): Place | null {
    for (const place of places) if (!this.#hasRoom(place)) return place;
    for (const place of places) {
      const { key, within, amount = 1 } = place;
      if (amount === 0) continue;
      if (within !== undefined) this.#used.add(place, amount);
      else this.#taken.set(key, this.taken(key) + amount);
    }
    return null;
  }

  release(keys: readonly string[]): void {
    for (const key of keys) {
      const left = this.taken(key) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    }
  }

  async spend(places: readonly Place[]): Promise<Place | null> {
    return places.filter((place) => this.#used.add(place, place.amount ?? 1) >= place.most)[0] ?? null;
  }

  taken(key: string): number {
    return this.#taken.get(key) ?? 0;
  }

  #hasRoom(place: Place): boolean {
    const { key, most, within, amount = 1 } = place;
    const level = within === undefined ? this.taken(key) : this.#used.level(place);
    return amount === 0 ? level < most : level + amount <= most;
  }
}

/** Leaky buckets by key: what is in one drains away, `most` of it in `within` ms. */
class Buckets {
  readonly #now: () => number;
  readonly #capacity: number;
  /** The one that was used last is the last. */
  readonly #buckets = new Map<string, { level: number; at: number }>();

  constructor(now: () => number, capacity: number) {
    this.#now = now;
    this.#capacity = capacity;
  }

  level({ key, most, within = 1 }: Place): number {
    const bucket = this.#buckets.get(key);
    return bucket === undefined ? 0 : Math.max(0, bucket.level - ((this.#now() - bucket.at) * most) / within);
  }

  /** Never more than `most`: what was used beyond is not held against anybody. @returns how much it is now */
  add(place: Place, amount: number): number {
    const level = Math.min(place.most, this.level(place) + amount);
    this.#buckets.delete(place.key);
    this.#buckets.set(place.key, { level, at: this.#now() });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > this.#capacity && oldest !== undefined) this.#buckets.delete(oldest);
    return level;
  }
}

/** For a server that is one process. */
export function localCounts(): SharedCounts {
  return {
    places: new LocalPlaces(),
    passwords: new PasswordThrottle({ now: () => performance.now() }),
  };
}
