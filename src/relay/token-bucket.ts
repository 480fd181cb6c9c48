/** So many a second on average, and as many at once as a second brings. */
export class TokenBucket {
  readonly #rate: number;
  readonly #clock: () => number;
  #tokens: number;
  #filled: number;

  /**
   * @param rate a second; finite, at least 1
   * @param clock milliseconds
   */
  constructor(rate: number, clock: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#clock = clock;
    this.#tokens = rate;
    this.#filled = clock();
  }

  /** Takes one, if there is one. */
  take(): boolean {
    const now = this.#clock();
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#filled) * this.#rate) / 1000);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
