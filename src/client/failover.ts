/** One thing asked of the first proxy that can be used. */
import { GssError, type GssocksError, NetworkError } from "../errors.js";
import { aborted } from "./abort.js";
import type { Clock } from "./clock.js";
import type { ProxyMember } from "./proxy-member.js";
import type { ProxyOptions } from "./proxy-options.js";
import { verdictOn } from "./proxy-verdict.js";

export interface Asked<Result> {
  /** In the order to try them. */
  readonly proxies: readonly ProxyMember[];
  /** But for the proxy. */
  readonly options: Omit<ProxyOptions, "proxy" | "targetName" | "requested">;
  /** `options.credential` is somebody else's than ours: that it is refused says little of the proxy. */
  readonly foreign: boolean;
  /** Milliseconds that one may take until the request is sent, while there are others. */
  readonly attemptTimeout: number;
  /** Of `performance.now()`, for all of them together. */
  readonly deadline: number;
  readonly clock: Clock;
  attempt(options: ProxyOptions): Promise<Result>;
}

export interface Answered<Result> {
  readonly result: Result;
  readonly proxy: ProxyMember;
}

/**
 * The next proxy is tried where the one before failed before the request was sent, and not behind that: what has been
 * asked for once may have had its effect.
 * @throws the error of the proxy that decided; NetworkError (NO_PROXY) where several failed
 */
export async function firstOf<Result>(asked: Asked<Result>): Promise<Answered<Result>> {
  const failures: string[] = [];
  let first: unknown = null;
  for (const [at, proxy] of asked.proxies.entries()) {
    const left = asked.deadline - performance.now();
    if (at > 0 && left <= 0) break;
    const last = at === asked.proxies.length - 1;
    const attempt = new Attempt(asked.options.signal, last ? Infinity : asked.attemptTimeout);
    const began = asked.clock.now();
    try {
      const result = await asked.attempt(optionsFor(asked.options, proxy, attempt, left));
      proxy.health.succeeded(began);
      return { result, proxy };
    } catch (caught) {
      // However far it was: the caller's giving up says nothing of the proxy.
      if (asked.options.signal?.aborted) throw aborted(asked.options.signal);
      const error = attempt.explain(caught as GssocksError, proxy);
      const verdict = verdictOn(error, { requested: attempt.requested, foreign: asked.foreign });
      if (verdict.state === "up") proxy.health.succeeded(began);
      else if (verdict.state === "down") proxy.health.failed(error, began);
      if (!verdict.next) throw error;
      first ??= error;
      failures.push(`${proxy.name}: ${error.message}`);
    } finally {
      attempt.end();
    }
  }
  if (failures.length === 1) throw first;
  throw new NetworkError(
    "NO_PROXY",
    `none of ${failures.length} proxies could be used: ${failures.join("; ")}`,
    {
      cause: first,
    },
  );
}

function optionsFor(
  options: Asked<unknown>["options"],
  { address, targetName }: ProxyMember,
  attempt: Attempt,
  left: number,
): ProxyOptions {
  return {
    ...options,
    proxy: address,
    timeout: Math.max(1, left),
    requested: () => attempt.sent(),
    ...(targetName === null ? {} : { targetName }),
    ...(attempt.signal === undefined ? {} : { signal: attempt.signal }),
  };
}

/** The bounds of one attempt: its signal is aborted when it takes too long to send the request. */
class Attempt {
  readonly signal: AbortSignal | undefined;
  readonly #limit: number;
  #timer: NodeJS.Timeout | undefined;
  #late = false;
  #requested = false;

  constructor(signal: AbortSignal | undefined, limit: number) {
    this.#limit = limit;
    if (limit === Infinity) {
      this.signal = signal;
      return;
    }
    const late = new AbortController();
    this.signal = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    this.#timer = setTimeout(() => {
      this.#late = true;
      late.abort();
    }, limit);
  }

  get requested(): boolean {
    return this.#requested;
  }

  sent(): void {
    this.#requested = true;
    clearTimeout(this.#timer);
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** That we gave up is no answer to anybody. */
  explain(error: GssocksError, { name }: ProxyMember): GssocksError {
    if (!this.#late || error instanceof GssError) return error;
    const code = error.code === "ABORTED" ? "TIMEOUT" : error.code;
    return new NetworkError(code, `the proxy ${name} took no request within ${this.#limit / 1000} s`, {
      cause: error,
    });
  }
}
