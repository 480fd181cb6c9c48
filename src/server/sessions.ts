import type { GssocksError } from "../errors.js";

export interface Session {
  readonly done: Promise<void>;
  abort(reason: GssocksError): void;
}

/** The open sessions. */
export class Sessions {
  readonly #open = new Set<Session>();

  get size(): number {
    return this.#open.size;
  }

  add(session: Session): void {
    this.#open.add(session);
    void session.done.then(() => this.#open.delete(session));
  }

  /** Waits until all have ended, for `timeout` ms at most; those that are left are ended with `reason`. */
  async drain(timeout: number, reason: GssocksError): Promise<void> {
    const all = Promise.all([...this.#open].map((session) => session.done));
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout);
    });
    await Promise.race([all, deadline]);
    clearTimeout(timer);
    this.abortAll(reason);
    await all;
  }

  abortAll(reason: GssocksError): void {
    for (const session of this.#open) session.abort(reason);
  }
}
