/** How many sessions there may be at once: in all, and from one source address. */
import type { Place, Places } from "./shared-counts.js";

export interface SessionLimits {
  sessions: number;
  sessionsPerSource: number;
}

/** The key under which every session has a place. */
export const SESSIONS = "sessions";

export class Limits {
  readonly #limits: SessionLimits;
  readonly #places: Places;

  constructor(limits: SessionLimits, places: Places) {
    this.#limits = limits;
    this.#places = places;
  }

  /** Takes a place for `source`; returns why there is none, or null. Each place taken is to be released once. */
  async acquire(source: string): Promise<string | null> {
    const full = await this.#places.take(this.#placesOf(source));
    if (full === null) return null;
    return full.key === SESSIONS
      ? `${full.most} sessions are open, which is the limit (limits.sessions)`
      : `${source} has ${full.most} sessions open, which is the limit (limits.sessionsPerSource)`;
  }

  release(source: string): void {
    this.#places.release(this.#placesOf(source).map(({ key }) => key));
  }

  #placesOf(source: string): Place[] {
    const { sessions, sessionsPerSource } = this.#limits;
    return [
      { key: SESSIONS, most: sessions },
      { key: `${SESSIONS} from ${source}`, most: sessionsPerSource },
    ];
  }
}
