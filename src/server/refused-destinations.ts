/**
 * What the log is told of the destinations that an association may not send to: of each one once, so that a client that
 * goes on sending fills no disk, and of so many a second, so that one that goes through all addresses does not either.
 */
import type { GssocksError } from "../errors.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { LruMap } from "../relay/lru-map.js";
import { TokenBucket } from "../relay/token-bucket.js";

/** Of one association. */
const EVENTS_PER_SECOND = 10;

/** `untold`: others since the last that was told of. */
type Tell = (dst: Endpoint, error: GssocksError, untold: number) => void;

export class RefusedDestinations {
  readonly #tell: Tell;
  readonly #told: LruMap<true>;
  readonly #rate: TokenBucket;
  #untold = 0;
  /** The last that was not told of. */
  #last: { dst: Endpoint; error: GssocksError } | null = null;

  /** @param remembered destinations, not to be told of again */
  constructor(remembered: number, tell: Tell, clock?: () => number) {
    this.#tell = tell;
    this.#told = new LruMap(remembered);
    this.#rate = new TokenBucket(EVENTS_PER_SECOND, clock);
  }

  add(dst: Endpoint, error: GssocksError): void {
    const destination = formatEndpoint(dst);
    if (this.#told.get(destination)) return;
    this.#told.set(destination, true);
    if (this.#rate.take()) return this.#say({ dst, error });
    this.#last = { dst, error };
    this.#untold += 1;
  }

  /** It was allowed since: the next time is told of again. */
  forget(dst: Endpoint): void {
    this.#told.delete(formatEndpoint(dst));
  }

  /** Tells how many there were that it has not told of. */
  close(): void {
    if (this.#last === null) return;
    this.#untold -= 1;
    this.#say(this.#last);
  }

  #say({ dst, error }: { dst: Endpoint; error: GssocksError }): void {
    const untold = this.#untold;
    this.#last = null;
    this.#untold = 0;
    this.#tell(dst, error, untold);
  }
}
