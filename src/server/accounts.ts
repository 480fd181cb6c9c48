/** How often what sessions have carried is counted, in ms: a limit may be passed by what they carry in that time. */
const EVERY = 2000;

export interface Account {
  /** Counts what came since the last time. */
  settle(): void;
}

/** The open sessions whose octets count. */
export class Accounts {
  readonly #open = new Set<Account>();
  #timer: NodeJS.Timeout | undefined;

  add(account: Account): void {
    this.#open.add(account);
    this.#timer ??= setInterval(() => {
      for (const each of this.#open) each.settle();
    }, EVERY).unref();
  }

  delete(account: Account): void {
    this.#open.delete(account);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
