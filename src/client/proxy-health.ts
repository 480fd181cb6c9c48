/**
 * What is known of one proxy. It is marked down by a failure and up by a success, of a connection or of the check that is
 * made again and again while it is down, after pauses that grow until a connection has succeeded: a proxy that passes
 * the check and then fails all the same is asked less and less often.
 */
import { GssocksError } from "../errors.js";
import type { Clock } from "./clock.js";

/** Of the first pause, and the longest; ms. Each is a quarter longer or shorter by chance, so that clients don't come together. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;
const JITTER = 0.25;

export type ProxyState = "unknown" | "up" | "down";

export interface ProxyFailure {
  readonly code: string;
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface HealthOptions {
  clock: Clock;
  /** Rejects with why the proxy can't be used; within bounds of its own, or at once with the signal. */
  check(signal: AbortSignal): Promise<void>;
  /** It was marked up again, or down (the failure). */
  changed(failure: ProxyFailure | null): void;
}

export class ProxyHealth {
  readonly #options: HealthOptions;
  readonly #closed = new AbortController();
  #state: ProxyState = "unknown";
  #since: number;
  #failure: ProxyFailure | null = null;
  #failures = 0;
  /** Those that the pauses grow by. */
  #inARow = 0;
  #nextCheck: number | null = null;
  #takeBack: () => void = () => {};

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#since = options.clock.now();
  }

  get state(): ProxyState {
    return this.#state;
  }

  /** When the state began, in ms since 1970. */
  get since(): number {
    return this.#since;
  }

  /** The last one, whatever came since. */
  get failure(): ProxyFailure | null {
    return this.#failure;
  }

  /** Of connections and checks: since the beginning, and since a connection succeeded. */
  get failures(): { readonly all: number; readonly inARow: number } {
    return { all: this.#failures, inARow: this.#inARow };
  }

  /** When it is checked, in ms since 1970; null where it is not down, or is being checked. */
  get nextCheck(): number | null {
    return this.#nextCheck;
  }

  /**
   * A connection through it was opened, or it gave a reply.
   * @param began when that was begun: before the proxy was marked down, it tells nothing new
   */
  succeeded(began: number): void {
    if (this.#state === "down" && began < this.#since) return;
    this.#inARow = 0;
    this.#up();
  }

  /**
   * A connection to it failed.
   * @param began when that was begun: before the proxy was marked up, it tells nothing new
   */
  failed(error: unknown, began: number): void {
    if (this.#closed.signal.aborted) return;
    this.#note(error);
    if (this.#state === "down" || (this.#state === "up" && began < this.#since)) return;
    this.#inARow += 1;
    this.#enter("down");
    this.#checkLater();
  }

  /** No more checks. */
  close(): void {
    this.#closed.abort();
    this.#takeBack();
    this.#nextCheck = null;
  }

  #checkLater(): void {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#inARow - 1, 16));
    const { clock } = this.#options;
    const factor = 1 - JITTER + 2 * JITTER * clock.random();
    this.#nextCheck = clock.now() + pause * factor;
    this.#takeBack = clock.after(pause * factor, () => void this.#check());
  }

  async #check(): Promise<void> {
    this.#nextCheck = null;
    try {
      await this.#options.check(this.#closed.signal);
      this.#up();
    } catch (error) {
      // A connection may have been quicker.
      if (this.#closed.signal.aborted || this.#state !== "down") return;
      this.#note(error);
      this.#inARow += 1;
      this.#checkLater();
    }
  }

  #up(): void {
    if (this.#state === "up" || this.#closed.signal.aborted) return;
    this.#takeBack();
    this.#nextCheck = null;
    this.#enter("up");
  }

  #enter(state: "up" | "down"): void {
    const before = this.#state;
    this.#state = state;
    this.#since = this.#options.clock.now();
    if (state === "down") this.#options.changed(this.#failure);
    else if (before === "down") this.#options.changed(null);
  }

  #note(error: unknown): void {
    const code = error instanceof GssocksError ? error.code : "UNKNOWN";
    const message = error instanceof Error ? error.message : String(error);
    this.#failures += 1;
    this.#failure = { code, message, time: this.#options.clock.now() };
  }
}
