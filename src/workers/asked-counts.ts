/** A worker's view of what counts across connections: it asks the primary. */
import type { Outcome, Settle, Throttle } from "../auth/password-throttle.js";
import { PolicyError } from "../errors.js";
import type { Place, Places, SharedCounts } from "../server/shared-counts.js";
import type { PrimaryCalls, WorkerCalls } from "./calls.js";
import type { Channel } from "./channel.js";

export type ToPrimary = Channel<PrimaryCalls, WorkerCalls>;

export function askedCounts(primary: ToPrimary): SharedCounts {
  return { places: new AskedPlaces(primary), passwords: new AskedThrottle(primary) };
}

class AskedPlaces implements Places {
  readonly #primary: ToPrimary;

  constructor(primary: ToPrimary) {
    this.#primary = primary;
  }

  take(places: readonly Place[]): Promise<Place | null> {
    return this.#primary.call("take", places);
  }

  release(keys: readonly string[]): void {
    this.#primary.tell("release", keys);
  }

  spend(places: readonly Place[]): Promise<Place | null> {
    return this.#primary.call("spend", places);
  }
}

class AskedThrottle implements Throttle {
  readonly #primary: ToPrimary;
  #last = 0;

  constructor(primary: ToPrimary) {
    this.#primary = primary;
  }

  async begin(username: string, address: string, signal: AbortSignal): Promise<Settle> {
    signal.throwIfAborted();
    this.#last += 1;
    const attempt = this.#last;
    let giveUp = () => {};
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = () => {
        this.#primary.tell("giveUpAttempt", attempt);
        reject(signal.reason);
      };
    });
    signal.addEventListener("abort", giveUp, { once: true });
    const asked = this.#primary.call("beginAttempt", attempt, username, address);
    const refusal = await Promise.race([asked, givenUp]);
    signal.removeEventListener("abort", giveUp);
    if (refusal !== null) throw new PolicyError("THROTTLED", refusal);
    return (outcome: Outcome) => this.#primary.tell("settleAttempt", attempt, outcome);
  }
}
