import { type GssocksError, NetworkError } from "../errors.js";

/** setTimeout takes no more than 2^31 - 1 ms. */
const MAX_TIMER = 2 ** 31 - 1;

export interface DeadlineOptions {
  /** Milliseconds without an octet in either direction; Infinity for no limit. */
  idleTimeout: number;
  /** Milliseconds in all; Infinity for no limit. */
  totalTimeout: number;
}

/** How long a session may carry nothing, and how long it may last. */
export class Deadlines {
  readonly #idleFor: () => number;
  readonly #expired: (error: GssocksError) => void;
  #idle: NodeJS.Timeout | undefined;
  #total: NodeJS.Timeout | undefined;

  /**
   * @param idleFor milliseconds since an octet was last carried: asked when it may be too long, so that carrying one costs
   *   no timer
   */
  constructor(options: DeadlineOptions, idleFor: () => number, expired: (error: GssocksError) => void) {
    this.#idleFor = idleFor;
    this.#expired = expired;
    const { idleTimeout, totalTimeout } = options;
    if (Number.isFinite(idleTimeout)) this.#watch(idleTimeout, idleTimeout);
    if (Number.isFinite(totalTimeout)) this.#end(totalTimeout, performance.now() + totalTimeout);
  }

  stop(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#total);
  }

  #watch(timeout: number, left: number): void {
    this.#idle = setTimeout(
      () => {
        const idle = this.#idleFor();
        if (idle < timeout) return this.#watch(timeout, Math.ceil(timeout - idle));
        this.#expired(new NetworkError("IDLE_TIMEOUT", `nothing was carried for ${timeout / 1000} s`));
      },
      Math.min(left, MAX_TIMER),
    );
  }

  #end(timeout: number, at: number): void {
    this.#total = setTimeout(
      () => {
        if (performance.now() < at) return this.#end(timeout, at);
        const message = `the session lasted ${timeout / 1000} s, which is the limit`;
        this.#expired(new NetworkError("TOTAL_TIMEOUT", message));
      },
      Math.min(Math.max(1, at - performance.now()), MAX_TIMER),
    );
  }
}
