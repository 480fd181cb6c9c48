import type { Clock } from "../../../src/client/clock.js";

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<Timer>();
  /** What chance says, over and over; the middle where it is empty. */
  chance: number[] = [];

  now(): number {
    return this.#now;
  }

  random(): number {
    const next = this.chance.shift();
    if (next === undefined) return 0.5;
    this.chance.push(next);
    return next;
  }

  after(milliseconds: number, task: () => void): () => void {
    const timer = { at: this.#now + milliseconds, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Milliseconds until each of the timers that are set. */
  get waits(): number[] {
    return [...this.#timers].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** Lets time pass, and what follows at once from each timer happen. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#now = Math.max(this.#now, due.at);
      due.task();
      await settled();
    }
    this.#now = end;
  }
}

/** All promises that need no more than each other are settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
