/** Each destination that a client sends datagrams to: judged, and told of once. */
import { GssocksError } from "../errors.js";
import type { AuditGate, Observer, SessionSubject } from "../observability/events.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { LruMap } from "../relay/lru-map.js";
import type { Way } from "../relay/udp-destinations.js";
import { type Authorized, severityOf } from "./authorize.js";
import type { Judge } from "./judge.js";
import type { Decided } from "./judgement.js";
import { RefusedDestinations } from "./refused-destinations.js";

interface Told {
  observer: Observer;
  audit: AuditGate;
  tell: (...decided: Decided) => void;
}

export class AssociationDestinations {
  readonly #judge: Judge;
  readonly #subject: SessionSubject;
  readonly #told: Told;
  /** Those that were told of; judgements are made anew now and then. */
  readonly #allowed: LruMap<true>;
  readonly #refused: RefusedDestinations;

  /** @param remembered how many, at most */
  constructor(remembered: number, judge: Judge, subject: SessionSubject, told: Told) {
    this.#judge = judge;
    this.#subject = subject;
    this.#told = told;
    this.#allowed = new LruMap(remembered);
    this.#refused = new RefusedDestinations(remembered, (...refused) => this.#tellRefused(...refused));
  }

  /** The ways there that may be taken. @throws PolicyError, NetworkError */
  async authorize(dst: Endpoint): Promise<Way[]> {
    const { audit } = this.#told;
    try {
      const authorized = await this.#judge.datagrams(dst);
      this.#tellAllowed(dst, authorized);
      await audit.room();
      const { addresses, upstream } = authorized;
      return upstream === null ? [...addresses.keys()] : [{ upstream: upstream.name, dst: upstream.dst }];
    } catch (error) {
      if (error instanceof GssocksError) this.#refused.add(dst, error);
      this.#allowed.delete(formatEndpoint(dst));
      await audit.room();
      throw error;
    }
  }

  /** Tells how many there were that it has not told of. */
  close(): void {
    this.#refused.close();
  }

  #tellAllowed(dst: Endpoint, authorized: Authorized): void {
    const destination = formatEndpoint(dst);
    const { rule, terms } = authorized.decision;
    const [address = ""] = authorized.addresses.keys();
    if (this.#allowed.get(destination)) return;
    this.#allowed.set(destination, true);
    this.#refused.forget(dst);
    const { severity } = terms;
    const subject = this.#subject;
    this.#told.observer({ type: "destination-allowed", subject, destination, address, rule, severity });
    this.#told.tell(dst, authorized);
  }

  #tellRefused(dst: Endpoint, error: GssocksError, untold: number): void {
    const { code, message: reason } = error;
    const destination = formatEndpoint(dst);
    const severity = severityOf(error);
    const subject = this.#subject;
    this.#told.observer({
      type: "destination-refused",
      subject,
      destination,
      code,
      reason,
      untold,
      severity,
    });
    this.#told.tell(dst, error, untold);
  }
}
