/**
 * How often passwords may be guessed: failures count against the source and against the name, and drain away with time.
 * Pure but for the promises: the caller's clock, no timers.
 */
import { PolicyError } from "../errors.js";
import { sourceNetwork } from "../protocol/source-network.js";

export interface Allowance {
  /** Failures at once. */
  readonly burst: number;
  /** After which one of them is forgiven, in ms. */
  readonly forgiven: number;
}

export interface ThrottleOptions {
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
  name?: Allowance;
  source?: Allowance;
  /** Attempts under way at a time; further ones wait. */
  underWay?: number;
  /** Names, sources and known pairs that are remembered, each; past this the oldest is forgotten. */
  capacity?: number;
}

const MINUTE = 60_000;
/** A person who tries all their passwords gets through; a program gets 1440 guesses a day at a name. */
const NAME: Allowance = { burst: 10, forgiven: MINUTE };
/** An office behind one address has many people. */
const SOURCE: Allowance = { burst: 50, forgiven: MINUTE / 6 };
const UNDER_WAY = 64;
const CAPACITY = 10_000;

/** What became of an attempt; `unknown` where the password could not be judged, which counts for nothing. */
export type Outcome = "right" | "wrong" | "unknown";

/** Call it once, when the attempt is over. */
export type Settle = (outcome: Outcome) => void;

interface Waiting {
  readonly name: string;
  readonly source: string;
  resolve(settle: Settle): void;
  reject(error: unknown): void;
}

export interface Throttle {
  /**
   * Fulfilled when the attempt may begin.
   * @param signal gives up waiting, with its reason
   * @throws PolicyError (THROTTLED)
   */
  begin(username: string, address: string, signal: AbortSignal): Promise<Settle>;
}

export class PasswordThrottle implements Throttle {
  readonly #names: Failures;
  readonly #sources: Failures;
  /** Names that came with the right password from a source: there, others' failures don't count. */
  readonly #known = new Set<string>();
  readonly #mostUnderWay: number;
  readonly #capacity: number;
  #waiting: Waiting[] = [];
  #underWay = 0;

  constructor({
    now,
    name = NAME,
    source = SOURCE,
    underWay = UNDER_WAY,
    capacity = CAPACITY,
  }: ThrottleOptions) {
    this.#names = new Failures(name, now, capacity);
    this.#sources = new Failures(source, now, capacity);
    this.#mostUnderWay = underWay;
    this.#capacity = capacity;
  }

  /**
   * An attempt under way may fail, so it counts until it is settled: where there is no room for one more failure, the
   * next waits rather than to be refused, and many right passwords at once get in.
   */
  begin(username: string, address: string, signal: AbortSignal): Promise<Settle> {
    const source = sourceNetwork(address);
    const name = nameKey(username);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { name, source, resolve, reject };
      signal.addEventListener(
        "abort",
        () => {
          this.#waiting = this.#waiting.filter((each) => each !== waiting);
          reject(signal.reason);
        },
        { once: true },
      );
      if (!this.#look(waiting)) this.#waiting.push(waiting);
    });
  }

  /** @returns whether it has been answered */
  #look({ name, source, resolve, reject }: Waiting): boolean {
    const pair = `${name} ${source}`;
    // An attacker elsewhere can't keep the user out who has been let in from here.
    const nameHere = this.#known.has(pair) ? pair : name;
    const wait = Math.max(this.#names.wait(nameHere), this.#sources.wait(source));
    if (wait > 0) {
      const whose = this.#sources.wait(source) > 0 ? "from this address" : "for this name";
      reject(
        new PolicyError(
          "THROTTLED",
          `too many wrong passwords ${whose}: again in ${Math.ceil(wait / 1000)} s`,
        ),
      );
      return true;
    }
    const room = this.#names.hasRoom(nameHere) && this.#sources.hasRoom(source);
    if (!room || this.#underWay >= this.#mostUnderWay) return false;
    this.#underWay++;
    const endName = this.#names.begin(nameHere);
    const endSource = this.#sources.begin(source);
    resolve((outcome) => {
      this.#underWay--;
      endName(outcome === "wrong");
      endSource(outcome === "wrong");
      if (outcome === "right") this.#know(pair);
      this.#waiting = this.#waiting.filter((each) => !this.#look(each));
    });
    return true;
  }

  #know(pair: string): void {
    this.#known.delete(pair);
    this.#known.add(pair);
    for (const oldest of this.#known) {
      if (this.#known.size <= this.#capacity) break;
      this.#known.delete(oldest);
    }
  }
}

interface Bucket {
  /** Failures that are not forgiven, as of `at`. */
  level: number;
  at: number;
  underWay: number;
}

/** Leaky buckets by key. Only keys with failures or attempts under way are held. */
class Failures {
  readonly #allowance: Allowance;
  readonly #now: () => number;
  readonly #capacity: number;
  /** The one that failed last is the last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(allowance: Allowance, now: () => number, capacity: number) {
    this.#allowance = allowance;
    this.#now = now;
    this.#capacity = capacity;
  }

  /** Milliseconds until there may be another failure; 0 for now. */
  wait(key: string): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return 0;
    const { burst, forgiven } = this.#allowance;
    return Math.max(0, Math.ceil((this.#level(bucket) - (burst - 1)) * forgiven));
  }

  /** Whether there is, if those under way all fail. */
  hasRoom(key: string): boolean {
    const bucket = this.#buckets.get(key);
    return bucket === undefined || this.#level(bucket) + bucket.underWay <= this.#allowance.burst - 1;
  }

  /** @returns what to call at the end, with whether it failed */
  begin(key: string): (failed: boolean) => void {
    const bucket = this.#buckets.get(key) ?? { level: 0, at: this.#now(), underWay: 0 };
    this.#buckets.set(key, bucket);
    bucket.underWay++;
    return (failed) => {
      bucket.underWay--;
      bucket.level = this.#level(bucket) + (failed ? 1 : 0);
      bucket.at = this.#now();
      if (failed) {
        this.#buckets.delete(key);
        this.#buckets.set(key, bucket);
      }
      this.#forget();
      if (bucket.underWay === 0 && bucket.level === 0) this.#buckets.delete(key);
    };
  }

  #level({ level, at }: Bucket): number {
    return Math.max(0, level - (this.#now() - at) / this.#allowance.forgiven);
  }

  /** Those whose failures are forgiven, from the oldest on; more where there are too many. */
  #forget(): void {
    for (const [key, bucket] of this.#buckets) {
      if (bucket.underWay > 0) {
        if (this.#buckets.size <= this.#capacity) break;
        continue;
      }
      if (this.#level(bucket) > 0 && this.#buckets.size <= this.#capacity) break;
      this.#buckets.delete(key);
    }
  }
}

/**
 * Directories and KDCs take many spellings for one name: case, accents, spaces, characters that are not seen, the realm
 * left out. They share one count; that names apart may share it too does little harm.
 */
function nameKey(username: string): string {
  return username
    .replace(/(?<=.)@.*$/s, "")
    .normalize("NFKD")
    .replace(/[\p{M}\p{C}\p{Z}]/gu, "")
    .toUpperCase()
    .toLowerCase();
}
