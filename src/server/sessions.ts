import type { GssocksError } from "../errors.js";
import type { ServerState } from "../protocol/server-state.js";
import type { Octets } from "./octets.js";

export interface Progress extends Octets {
  /** `request`: what the client wants is being judged, looked up, dialed. */
  readonly state: "handshake" | "request" | "relay";
  readonly level: string | null;
}

export interface Session {
  readonly done: Promise<void>;
  /** As it is now; null from its audit record on. */
  readonly progress: Progress | null;
  abort(reason: GssocksError): void;
}

export function stateOf(state: ServerState): Progress["state"] {
  if (state === "relaying") return "relay";
  return state === "deciding" || state === "binding" ? "request" : "handshake";
}

/** The open sessions. */
export class Sessions {
  readonly #open = new Set<Session>();

  get size(): number {
    return this.#open.size;
  }

  get progress(): Progress[] {
    return [...this.#open].map(({ progress }) => progress).filter((each) => each !== null);
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
