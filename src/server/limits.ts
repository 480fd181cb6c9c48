/** How many sessions there may be at once: in all, and from one source address. */
export interface SessionLimits {
  sessions: number;
  sessionsPerSource: number;
}

export class Limits {
  readonly #limits: SessionLimits;
  readonly #perSource = new Map<string, number>();
  #total = 0;

  constructor(limits: SessionLimits) {
    this.#limits = limits;
  }

  /** Takes a place for `source`; returns why there is none, or null. Each place taken is to be released once. */
  acquire(source: string): string | null {
    const { sessions, sessionsPerSource } = this.#limits;
    const held = this.#perSource.get(source) ?? 0;
    if (this.#total >= sessions) return `${sessions} sessions are open, which is the limit (limits.sessions)`;
    if (held >= sessionsPerSource) {
      return `${source} has ${held} sessions open, which is the limit (limits.sessionsPerSource)`;
    }
    this.#total += 1;
    this.#perSource.set(source, held + 1);
    return null;
  }

  release(source: string): void {
    const held = (this.#perSource.get(source) ?? 0) - 1;
    this.#total -= 1;
    if (held > 0) this.#perSource.set(source, held);
    else this.#perSource.delete(source);
  }
}
