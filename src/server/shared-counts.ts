/**
 * What counts across connections, and so across the processes that serve them. One process counts for itself; where there
 * are several, one counts and the others ask it.
 */
import { PasswordThrottle, type Throttle } from "../auth/password-throttle.js";

/** One of those that there may be `most` of at a time. */
export interface Place {
  /** What is counted, as `sessions`; all that say the same are counted together. */
  readonly key: string;
  readonly most: number;
}

export interface Places {
  /**
   * Takes all of them, or none where one is not to be had: that one is the answer, null where they are taken. Each is to
   * be released once.
   */
  take(places: readonly Place[]): Promise<Place | null>;
  release(keys: readonly string[]): void;
}

export interface SharedCounts {
  readonly places: Places;
  readonly passwords: Throttle;
}

/** Holds one entry for each key of which a place is taken. */
export class LocalPlaces implements Places {
  readonly #taken = new Map<string, number>();

  async take(places: readonly Place[]): Promise<Place | null> {
    return this.takeNow(places);
  }

  takeNow(places: readonly Place[]): Place | null {
    for (const place of places) if (this.taken(place.key) >= place.most) return place;
    for (const { key } of places) this.#taken.set(key, this.taken(key) + 1);
    return null;
  }

  release(keys: readonly string[]): void {
    for (const key of keys) {
      const left = this.taken(key) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    }
  }

  taken(key: string): number {
    return this.#taken.get(key) ?? 0;
  }
}

/** For a server that is one process. */
export function localCounts(): SharedCounts {
  return {
    places: new LocalPlaces(),
    passwords: new PasswordThrottle({ now: () => performance.now() }),
  };
}
