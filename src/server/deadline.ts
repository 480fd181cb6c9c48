import { NetworkError } from "../errors.js";

/** What has to be done by then; the next one takes the place of the one before. */
export class Deadline {
  readonly #missed: (error: NetworkError) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(missed: (error: NetworkError) => void) {
    this.#missed = missed;
  }

  /**
   * @param timeout milliseconds; Infinity for none
   * @param what begins the sentence that ends in the timeout
   */
  set(timeout: number, code: string, what: string, rep?: number): void {
    this.clear();
    if (!Number.isFinite(timeout)) return;
    this.#timer = setTimeout(() => {
      const error = new NetworkError(code, `${what} ${timeout / 1000} s`, rep === undefined ? {} : { rep });
      this.#missed(error);
    }, timeout);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
