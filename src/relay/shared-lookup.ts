import { NetworkError } from "../errors.js";
import { REP } from "../protocol/constants.js";
import type { FairPlaces } from "./fair-places.js";

export interface Work {
  /** Once, when there is a place; it can't be cancelled. */
  run(): Promise<readonly string[]>;
  /** Nobody may ask any more: it has ended, or was given up before it began. */
  over(): void;
}

interface Asker {
  done(addresses: readonly string[]): void;
  fail(error: unknown): void;
}

/** A client's wait for its place, on behalf of its askers. */
interface Turn {
  readonly askers: Set<Asker>;
  readonly giveUp: AbortController;
}

/**
 * The look-up of one name, for all who ask meanwhile. Each client waits for a place of its own until one has it: nobody
 * is held up by what another has waiting. Who has the place keeps it until the look-up ends, whether anybody still wants
 * to know or not.
 */
export class SharedLookup {
  readonly #name: string;
  readonly #places: FairPlaces;
  readonly #work: Work;
  readonly #askers = new Set<Asker>();
  readonly #turns = new Map<string, Turn>();
  #running = false;

  constructor(name: string, places: FairPlaces, work: Work) {
    this.#name = name;
    this.#places = places;
    this.#work = work;
  }

  /**
   * @param timeout milliseconds, the wait for a place included
   * @throws NetworkError (LOOKUP_TIMEOUT, LOOKUP_ABORTED); what the places or the work fail with
   */
  ask(client: string, timeout: number, signal?: AbortSignal): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", aborted);
        this.#leave(client, asker);
      };
      const asker: Asker = {
        done: (addresses) => {
          stop();
          resolve(addresses);
        },
        fail: (error) => {
          stop();
          reject(error);
        },
      };
      const timer = setTimeout(() => asker.fail(late(this.#name, timeout)), timeout);
      const aborted = () => asker.fail(givenUp(this.#name));
      signal?.addEventListener("abort", aborted, { once: true });
      this.#askers.add(asker);
      if (signal?.aborted) aborted();
      else if (!this.#running) void this.#wait(client, asker);
    });
  }

  async #wait(client: string, asker: Asker): Promise<void> {
    const waiting = this.#turns.get(client);
    if (waiting !== undefined) return void waiting.askers.add(asker);
    const turn: Turn = { askers: new Set([asker]), giveUp: new AbortController() };
    this.#turns.set(client, turn);
    try {
      await this.#places.acquire(client, turn.giveUp.signal);
    } catch (error) {
      // Where it was given up, another client's turn has come, or nobody is left to be told.
      if (this.#turns.get(client) === turn) for (const each of turn.askers) each.fail(error);
      return;
    }
    // The same may have happened since the place was given.
    if (this.#turns.get(client) !== turn) return this.#places.release(client);
    await this.#run(client);
  }

  async #run(client: string): Promise<void> {
    this.#running = true;
    for (const { giveUp } of this.#turns.values()) giveUp.abort();
    this.#turns.clear();
    let tell: (asker: Asker) => void;
    try {
      const addresses = await this.#work.run();
      tell = (asker) => asker.done(addresses);
    } catch (error) {
      tell = (asker) => asker.fail(error);
    }
    this.#work.over();
    this.#places.release(client);
    for (const asker of this.#askers) tell(asker);
  }

  #leave(client: string, asker: Asker): void {
    this.#askers.delete(asker);
    if (this.#running) return;
    const turn = this.#turns.get(client);
    turn?.askers.delete(asker);
    if (turn?.askers.size === 0) {
      this.#turns.delete(client);
      turn.giveUp.abort();
    }
    if (this.#askers.size === 0) this.#work.over();
  }
}

function late(name: string, timeout: number): NetworkError {
  const message = `no answer to the look-up of the name ${name} within ${timeout / 1000} s`;
  return new NetworkError("LOOKUP_TIMEOUT", message, { rep: REP.HOST_UNREACHABLE });
}

function givenUp(name: string): NetworkError {
  return new NetworkError("LOOKUP_ABORTED", `given up before the name ${name} was looked up`);
}
