/**
 * What the log is told of the destinations that an association may not send to: of each one once, so that a client that
 * goes on sending fills no disk, and of so many a second, so that one that goes through all addresses does not either.
 */
import type { GssocksError } from "../errors.js";
import type { Observer, ServerEvent, SessionSubject } from "../observability/events.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { LruMap } from "../relay/lru-map.js";
import { TokenBucket } from "../relay/token-bucket.js";

/** Of one association. */
const EVENTS_PER_SECOND = 10;

type Refused = Extract<ServerEvent, { type: "destination-refused" }>;

export class RefusedDestinations {
  readonly #subject: SessionSubject;
  readonly #observer: Observer;
  readonly #told: LruMap<true>;
  readonly #rate: TokenBucket;
  #untold = 0;
  /** The last that was not told of. */
  #last: Refused | null = null;

  /** @param remembered destinations, not to be told of again */
  constructor(subject: SessionSubject, remembered: number, observer: Observer, clock?: () => number) {
    this.#subject = subject;
    this.#observer = observer;
    this.#told = new LruMap(remembered);
    this.#rate = new TokenBucket(EVENTS_PER_SECOND, clock);
  }

  add(dst: Endpoint, error: GssocksError): void {
    const destination = formatEndpoint(dst);
    if (this.#told.get(destination)) return;
    this.#told.set(destination, true);
    const { code, message: reason } = error;
    const event: Refused = {
      type: "destination-refused",
      subject: this.#subject,
      destination,
      code,
      reason,
      untold: this.#untold,
    };
    if (this.#rate.take()) return this.#tell(event);
    this.#last = event;
    this.#untold += 1;
  }

  /** Tells how many there were that it has not told of. */
  close(): void {
    if (this.#last !== null) this.#tell(this.#last);
  }

  #tell(event: Refused): void {
    this.#last = null;
    this.#untold = 0;
    this.#observer(event);
  }
}
