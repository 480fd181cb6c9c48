import type { GssocksError } from "../errors.js";
import type { ServerState } from "../protocol/server-state.js";
import type { Octets } from "./octets.js";
import { OpenList } from "./open-list.js";
import type { SessionInfo } from "./session-info.js";

export interface Progress extends Octets {
  /** `request`: what the client wants is being judged, looked up, dialed. */
  readonly state: "handshake" | "request" | "relay";
  readonly level: string | null;
}

export interface Session {
  readonly done: Promise<void>;
  /** As it is now; null from its audit record on. */
  readonly progress: Progress | null;
  /** The same, and whose it is; null as above. */
  readonly info: SessionInfo | null;
  abort(reason: GssocksError): void;
  /** What is under way goes on, but nothing further begins: of one that may have several requests. */
  retire(): void;
  /** The rules have changed: ends it where they do not let it go where it goes. @returns whether that was so */
  judgeAgain(): Promise<boolean>;
}

export function stateOf(state: ServerState): Progress["state"] {
  if (state === "relaying") return "relay";
  return state === "deciding" || state === "binding" ? "request" : "handshake";
}

/** The open sessions. */
export class Sessions {
  readonly #open = new OpenList<Session>();

  get size(): number {
    return this.#open.size;
  }

  get progress(): Progress[] {
    return this.all.map(({ progress }) => progress).filter((each) => each !== null);
  }

  get all(): Session[] {
    return this.#open.all();
  }

  list(): SessionInfo[] {
    return this.all.map(({ info }) => info).filter((info) => info !== null);
  }

  /** @returns how many were ended */
  async judgeAgain(): Promise<number> {
    const ended = await Promise.all(this.all.map((session) => session.judgeAgain()));
    return ended.filter((each) => each).length;
  }

  /** Those of `ids` that are open. @returns their ids, when they have ended */
  async end(ids: ReadonlySet<string>, reason: GssocksError): Promise<string[]> {
    const found = this.all.flatMap((session) => {
      const id = session.info?.session ?? "";
      return ids.has(id) ? [{ id, session }] : [];
    });
    for (const { session } of found) session.abort(reason);
    await Promise.all(found.map(({ session }) => session.done));
    return found.map(({ id }) => id);
  }

  add(session: Session): void {
    void session.done.then(this.#open.add(session));
  }

  /** Waits until all have ended, for `timeout` ms at most; those that are left are ended with `reason`. */
  async drain(timeout: number, reason: GssocksError): Promise<void> {
    this.retire();
    const all = Promise.all(this.all.map((session) => session.done));
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout);
    });
    await Promise.race([all, deadline]);
    clearTimeout(timer);
    this.abortAll(reason);
    await all;
  }

  /** Of those that are open nothing further begins. */
  retire(): void {
    for (const session of this.all) session.retire();
  }

  abortAll(reason: GssocksError): void {
    for (const session of this.all) session.abort(reason);
  }
}
