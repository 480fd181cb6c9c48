/**
 * The destinations of one association. Each is judged before the first datagram leaves, and again, while it is used,
 * each minute, so that changed rules and changed addresses hold. What is held is bounded: so many destinations, so many
 * judgements under way, and two datagrams that wait for each of those.
 */
import { PolicyError } from "../errors.js";
import { type Endpoint, formatEndpoint } from "../protocol/address.js";
import type { DropReason } from "./datagram-drops.js";
import { LruMap } from "./lru-map.js";
import type { Elsewhere } from "./udp-upstreams.js";

/** An address, or another proxy that sends there. */
export type Way = string | Elsewhere;

/** How long a destination that was allowed is not asked about again, in ms. */
export const ALLOWED_FOR = 60_000;

/** The same for one that was refused: a client that goes on sending must not keep rules and resolver busy. */
export const REFUSED_FOR = 5_000;

/** Judgements under way at a time: each may be waiting for DNS. */
export const MAX_JUDGING = 8;

/** Datagrams that wait for one judgement, as a stub resolver asks for A and AAAA at once. */
export const MAX_WAITING = 2;

export interface Judge {
  /** The ways that may be taken, best first, at least one; rejects where there is none. */
  judge(dst: Endpoint): Promise<readonly Way[]>;
  /** Sends by the first of `destination.ways`. */
  transmit(destination: Destination, data: Buffer): void;
  dropped(reason: DropReason): void;
  /** Its ways were allowed before and are not any more. */
  revoked(destination: Destination): void;
}

export interface Destination {
  readonly dst: Endpoint;
  /** None until allowed, and when refused. */
  ways: readonly Way[];
}

interface Entry extends Destination {
  judging: boolean;
  judgedUntil: number;
  refusal: DropReason;
  waiting: Buffer[];
}

export class UdpDestinations {
  readonly #judge: Judge;
  readonly #clock: () => number;
  readonly #entries: LruMap<Entry>;
  #judging = 0;
  /** Which rules: they change. */
  #rules = 0;

  /**
   * @param limit destinations at most; the one used least recently is forgotten for a new one
   * @param clock milliseconds
   */
  constructor(limit: number, judge: Judge, clock: () => number = () => performance.now()) {
    this.#judge = judge;
    this.#clock = clock;
    this.#entries = new LruMap(limit);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Sends a datagram, at once or once its destination has been judged, or drops it. */
  send(dst: Endpoint, data: Buffer): void {
    const key = formatEndpoint(dst);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#judging >= MAX_JUDGING) return this.#judge.dropped("backlog");
      entry = { dst, ways: [], judging: false, judgedUntil: 0, refusal: "denied", waiting: [] };
      this.#entries.set(key, entry);
      void this.#decide(entry);
    } else if (!entry.judging && this.#clock() >= entry.judgedUntil && this.#judging < MAX_JUDGING) {
      // What was allowed stays so until the new judgement is there: a call must not stutter for a DNS query.
      void this.#decide(entry);
    }
    if (entry.ways.length > 0) this.#judge.transmit(entry, data);
    else if (!entry.judging) this.#judge.dropped(entry.refusal);
    else if (entry.waiting.length < MAX_WAITING) entry.waiting.push(data);
    else this.#judge.dropped("backlog");
  }

  /**
   * The rules have changed: what they deny is not sent to any more, and what was refused is asked about anew.
   * @param allows whether the new ones let datagrams to `dst` go that way
   */
  judgeAgain(allows: (dst: Endpoint, way: Way) => boolean): void {
    this.#rules += 1;
    for (const entry of this.#entries.values()) {
      const { dst, ways } = entry;
      const left = ways.filter((way) => allows(dst, way));
      if (left.length === 0) entry.judgedUntil = 0;
      if (left.length === ways.length) continue;
      entry.ways = left;
      entry.refusal = "denied";
      this.#judge.revoked({ dst, ways: ways.filter((way) => !left.includes(way)) });
    }
  }

  async #decide(entry: Entry): Promise<void> {
    entry.judging = true;
    this.#judging += 1;
    let ways: readonly Way[];
    let rules: number;
    do {
      rules = this.#rules;
      ways = await this.#judge.judge(entry.dst).catch((error: unknown) => {
        entry.refusal = error instanceof PolicyError ? "denied" : "unreachable";
        return [];
      });
      // What was judged by rules that have changed since is not judged at all.
    } while (rules !== this.#rules);
    this.#judging -= 1;
    entry.judging = false;
    const allowed = ways.length > 0;
    if (!allowed && entry.ways.length > 0) this.#judge.revoked(entry);
    entry.judgedUntil = this.#clock() + (allowed ? ALLOWED_FOR : REFUSED_FOR);
    entry.ways = ways;
    for (const data of entry.waiting.splice(0)) {
      if (allowed) this.#judge.transmit(entry, data);
      else this.#judge.dropped(entry.refusal);
    }
  }
}
