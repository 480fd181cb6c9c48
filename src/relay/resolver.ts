/**
 * Names to addresses, for all sessions of a process: one look-up at a time for each name, whose answer everybody gets who
 * asked meanwhile and for a second after; fair between clients, since a name whose DNS server does not answer takes a
 * thread for half a minute (docs/decisions).
 */
import { NetworkError } from "../errors.js";
import { lookUpHost } from "../gss/host-lookup.js";
import { REP } from "../protocol/constants.js";
import { FairPlaces } from "./fair-places.js";
import { LruMap } from "./lru-map.js";
import { SharedLookup } from "./shared-lookup.js";

/** Look-ups at once, each on a thread of its own; and those that wait for that. */
const PLACES = 64;
const SEATS = 1024;

/** How long one is waited for, in ms: two dead servers of resolv.conf have five seconds each before the third is asked. */
const TIMEOUT = 15_000;

/** How long an answer holds, in ms: getaddrinfo tells no TTL, and one that may be kept at all is a second at least. */
const KEPT_FOR = 1000;
const MAX_KEPT = 1024;

/** A name with more addresses than this has the rest ignored. */
const MAX_ADDRESSES = 16;

export interface ResolverOptions {
  /** The addresses in the order to try them; rejects with a `code` of getaddrinfo(3). */
  lookUp?: (name: string) => Promise<string[]>;
  places?: number;
  seats?: number;
  /** Milliseconds. */
  timeout?: number;
  /** Milliseconds. */
  clock?: () => number;
}

export interface Asking {
  /** Milliseconds, where less than the resolver's own. */
  timeout?: number;
  signal?: AbortSignal | undefined;
}

interface Answer {
  readonly addresses: readonly string[];
  readonly until: number;
}

export class Resolver {
  readonly #lookUp: (name: string) => Promise<string[]>;
  readonly #timeout: number;
  readonly #clock: () => number;
  readonly #places: FairPlaces;
  /** By name in lower case. */
  readonly #lookups = new Map<string, SharedLookup>();
  readonly #answers = new LruMap<Answer>(MAX_KEPT);

  constructor(options: ResolverOptions = {}) {
    this.#lookUp = options.lookUp ?? lookUpHost;
    this.#timeout = options.timeout ?? TIMEOUT;
    this.#clock = options.clock ?? (() => performance.now());
    this.#places = new FairPlaces(options.places ?? PLACES, options.seats ?? SEATS, busy);
  }

  /**
   * A name's addresses in the order to try them: as the resolver prefers (RFC 6724), families taking turns (RFC 8305 §4).
   * @param client whose share of the places it takes
   * @throws NetworkError: NAME_NOT_FOUND, NAME_LOOKUP_FAILED, LOOKUP_TIMEOUT (REP 0x04), TOO_MANY_LOOKUPS (REP 0x01),
   *   LOOKUP_ABORTED
   */
  async resolve(name: string, client: string, asking: Asking = {}): Promise<readonly string[]> {
    const key = name.toLowerCase();
    const answer = this.#answers.get(key);
    if (answer !== undefined && this.#clock() < answer.until) return answer.addresses;
    const lookup = this.#lookups.get(key) ?? this.#begin(key);
    try {
      return await lookup.ask(client, Math.min(this.#timeout, asking.timeout ?? Infinity), asking.signal);
    } catch (error) {
      throw error instanceof NetworkError ? error : lookupError(name, error);
    }
  }

  #begin(key: string): SharedLookup {
    const lookup = new SharedLookup(key, this.#places, {
      run: async () => this.#keep(key, inTurns(await this.#lookUp(key)).slice(0, MAX_ADDRESSES)),
      over: () => this.#lookups.delete(key),
    });
    this.#lookups.set(key, lookup);
    return lookup;
  }

  /** Refusals are not kept: a name that was put right is found at once, and one look-up at a time bounds them. */
  #keep(key: string, addresses: readonly string[]): readonly string[] {
    this.#answers.set(key, { addresses, until: this.#clock() + KEPT_FOR });
    return addresses;
  }
}

function inTurns(addresses: readonly string[]): string[] {
  const isIpv6 = (address: string) => address.includes(":");
  const first = isIpv6(addresses[0] ?? "");
  const same = addresses.filter((address) => isIpv6(address) === first);
  const other = addresses.filter((address) => isIpv6(address) !== first);
  return Array.from({ length: Math.max(same.length, other.length) }, (_, index) => [
    same[index],
    other[index],
  ])
    .flat()
    .filter((address) => address !== undefined);
}

function busy(client: string, ahead: number, waiting: number): NetworkError {
  const message = `too many look-ups of names wait already, ${ahead} of ${waiting} for ${client}`;
  return new NetworkError("TOO_MANY_LOOKUPS", message, { rep: REP.GENERAL_FAILURE });
}

function lookupError(name: string, cause: unknown): NetworkError {
  const { code = "" } = cause as NodeJS.ErrnoException;
  const missing = code === "EAI_NONAME" || code === "EAI_NODATA";
  const what = missing ? "does not exist" : `could not be looked up (${code})`;
  return new NetworkError(missing ? "NAME_NOT_FOUND" : "NAME_LOOKUP_FAILED", `the name ${name} ${what}`, {
    rep: REP.HOST_UNREACHABLE,
    cause,
  });
}
