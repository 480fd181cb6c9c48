/**
 * Bounds how many GSS-API calls are on libuv's pool at a time: its four threads also serve files, and a KDC
 * that does not answer holds a thread for half a minute.
 *
 * First come, first served; but calls that may ask a KDC never take the last place, so that an acceptor, whose calls
 * stay on this machine, goes on while an initiator in the same process waits for a dead KDC.
 */
export type CallKind = "local" | "network";

const DEFAULT_LIMIT = 2;

export class CallQueue {
  #limit: number;
  #running = { local: 0, network: 0 };
  #waiting: { kind: CallKind; start: () => void }[] = [];

  constructor(limit = DEFAULT_LIMIT) {
    this.#limit = limit;
  }

  /** Calls that run at a time, 1 or more. Calls that run already are not touched. */
  setLimit(limit: number): void {
    if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`not a limit: ${limit}`);
    this.#limit = limit;
    this.#startWaiting();
  }

  /** Runs `call` when it has a place, and settles as it does. */
  async run<T>(kind: CallKind, call: () => Promise<T>): Promise<T> {
    await new Promise<void>((start) => {
      this.#waiting.push({ kind, start });
      this.#startWaiting();
    });
    try {
      return await call();
    } finally {
      this.#running[kind]--;
      this.#startWaiting();
    }
  }

  #startWaiting(): void {
    for (;;) {
      const next = this.#waiting.findIndex(({ kind }) => this.#hasPlace(kind));
      if (next === -1) return;
      const [waiting] = this.#waiting.splice(next, 1);
      if (waiting === undefined) return;
      this.#running[waiting.kind]++;
      waiting.start();
    }
  }

  #hasPlace(kind: CallKind): boolean {
    if (this.#running.local + this.#running.network >= this.#limit) return false;
    return kind === "local" || this.#running.network < Math.max(1, this.#limit - 1);
  }
}

/** The queue of this environment (the main thread or one worker), which all of src/gss goes through. */
export const callQueue: CallQueue = new CallQueue();
