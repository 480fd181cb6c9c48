/** What one session has taken of the limits, from its first octet to its end. */
import { Rate } from "../gss/rate.js";
import type { Bandwidth } from "../policy/terms.js";
import type { Carried } from "../relay/carrier.js";
import { NO_RATES, type Rates } from "../relay/rates.js";
import type { Account, Accounts } from "./accounts.js";
import { type Bound, boundsOf, type Full, type Scope, spentBy } from "./limits.js";
import type { RateBook } from "./rate-book.js";
import type { Places } from "./shared-counts.js";

/** What sessions share. */
export interface QuotaParts {
  readonly places: Places;
  readonly rates: RateBook;
  readonly accounts: Accounts;
}

/** Nobody else's. */
export function ratesOf({ up, down }: Bandwidth): Rates {
  const alone = (most: number | null) => (most === null ? [] : [new Rate(most)]);
  return { up: alone(up), down: alone(down) };
}

export class SessionQuota implements Account {
  readonly #places: Places;
  readonly #rates: RateBook;
  readonly #accounts: Accounts;
  readonly #scopes: Scope[] = [];
  #held: string[] = [];
  #leave: (() => void)[] = [];
  #spent = 0;
  #ended = false;
  #carried: () => Carried = () => ({ up: 0, down: 0 });
  #usedUp: (full: Full) => void = () => {};

  constructor({ places, rates, accounts }: QuotaParts) {
    this.#places = places;
    this.#rates = rates;
    this.#accounts = accounts;
  }

  /** Takes its place among those who share each of `scopes`, and of `others`. @returns which has none left; nothing was taken then */
  async join(
    scopes: readonly Scope[],
    others: readonly Bound[] = [],
    boundsIn: (scope: Scope) => Bound[] = boundsOf,
  ): Promise<Full | null> {
    const bounds = [...others, ...scopes.flatMap(boundsIn)];
    const places = bounds.map(({ place }) => place);
    const missing = places.length === 0 ? null : await this.#places.take(places);
    if (missing !== null) return bounds.find(({ place }) => place.key === missing.key)?.full ?? null;
    const held = places.filter(({ within }) => within === undefined).map(({ key }) => key);
    // It ended while the others were asked.
    if (this.#ended) this.#places.release(held);
    else this.#held.push(...held);
    this.#scopes.push(...scopes);
    return null;
  }

  /** @param own of this session alone */
  rates(own: Bandwidth | null): Rates {
    const shared = (direction: "up" | "down") =>
      this.#scopes.flatMap(({ whose, path, allowance }) => {
        const most = allowance.bandwidth?.[direction] ?? null;
        if (most === null) return [];
        const { rate, leave } = this.#rates.use(`${direction} ${path} ${whose}`, most);
        this.#leave.push(leave);
        return [rate];
      });
    const { up, down } = own === null ? NO_RATES : ratesOf(own);
    return { up: [...shared("up"), ...up], down: [...shared("down"), ...down] };
  }

  /**
   * Counts octets from now on, where any limit asks for it.
   * @param carried up to now, both ways
   * @param usedUp told of a limit that is
   */
  count(carried: () => Carried, usedUp: (full: Full) => void): void {
    if (!this.#scopes.some(({ allowance }) => allowance.bytesPerDay !== null)) return;
    this.#carried = carried;
    this.#usedUp = usedUp;
    this.#accounts.add(this);
  }

  settle(): void {
    const { up, down } = this.#carried();
    const amount = up + down - this.#spent;
    if (amount <= 0) return;
    this.#spent += amount;
    const bounds = this.#scopes.flatMap((scope) => spentBy(scope, amount));
    void this.#places.spend(bounds.map(({ place }) => place)).then((used) => {
      const bound = bounds.find(({ place }) => place.key === used?.key);
      if (bound !== undefined && !this.#ended) this.#usedUp(bound.full);
    });
  }

  /** Gives back what it holds. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#accounts.delete(this);
    this.settle();
    if (this.#held.length > 0) this.#places.release(this.#held);
    for (const leave of this.#leave) leave();
    this.#held = [];
    this.#leave = [];
  }
}
