/** Each destination that a client sends datagrams to: judged, and told of once. */
import { GssocksError } from "../errors.js";
import type { AuditGate, Observer, SessionSubject } from "../observability/events.js";
import type { Bandwidth } from "../policy/terms.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import { LruMap } from "../relay/lru-map.js";
import { NO_RATES, type Rates } from "../relay/rates.js";
import type { Way } from "../relay/udp-destinations.js";
import { type Authorized, severityOf } from "./authorize.js";
import type { Judge } from "./judge.js";
import type { Decided } from "./judgement.js";
import { RefusedDestinations } from "./refused-destinations.js";
import { ratesOf } from "./session-quota.js";

interface Told {
  observer: Observer;
  audit: AuditGate;
  tell: (...decided: Decided) => void;
}

export class AssociationDestinations {
  readonly #judge: Judge;
  readonly #subject: SessionSubject;
  readonly #told: Told;
  /** Those that were told of, with what their rule bounds; judgements are made anew now and then. */
  readonly #allowed: LruMap<Rates>;
  /** Of each rule, by its own bounds: all that it allows of the association has them together. */
  readonly #rates = new Map<Bandwidth, Rates>();
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

  /** What the rule that allows it bounds of a destination. */
  ratesOf(dst: Endpoint): Rates {
    if (this.#rates.size === 0) return NO_RATES;
    return this.#allowed.get(formatEndpoint(dst)) ?? NO_RATES;
  }

  #ratesBy(bandwidth: Bandwidth | null): Rates {
    if (bandwidth === null) return NO_RATES;
    const rates = this.#rates.get(bandwidth) ?? ratesOf(bandwidth);
    this.#rates.set(bandwidth, rates);
    return rates;
  }

  /** Tells how many there were that it has not told of. */
  close(): void {
    this.#refused.close();
  }

  #tellAllowed(dst: Endpoint, authorized: Authorized): void {
    const destination = formatEndpoint(dst);
    const { rule, terms } = authorized.decision;
    const [address = ""] = authorized.addresses.keys();
    const told = this.#allowed.get(destination) !== undefined;
    this.#allowed.set(destination, this.#ratesBy(terms.bandwidth));
    if (told) return;
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
