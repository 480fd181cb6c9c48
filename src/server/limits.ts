/** What sessions may take: in all, from one source address, of one user and by one rule. */
import type { SessionLimits } from "../config/limits.js";
import { PolicyError } from "../errors.js";
import type { Allowance } from "../policy/terms.js";
import { REP } from "../protocol/constants.js";
import { type QuotaParts, SessionQuota } from "./session-quota.js";
import type { Place } from "./shared-counts.js";

/** Those who share an allowance. */
export interface Scope {
  /** As in `sessions from 192.0.2.1`; empty for all. */
  readonly whose: string;
  /** Where the configuration says it. */
  readonly path: string;
  readonly allowance: Allowance;
}

/** The key under which every session has a place. */
export const SESSIONS = "sessions";

const MINUTE = 60_000;
const DAY = 86_400_000;
const ENTRY = 0.01;

/** A limit that stands in the way, and why. */
export interface Full {
  /** The key in the configuration. */
  readonly limit: string;
  readonly reason: string;
}

/** A session has run into a limit. */
export class LimitError extends PolicyError {
  readonly limit: string;

  constructor({ limit, reason }: Full) {
    super("LIMIT_REACHED", reason, { rep: REP.NOT_ALLOWED });
    this.limit = limit;
  }
}

/** To be told of the limit that ends it. */
export function endedByLimit(session: { abort(error: LimitError): void }): (full: Full) => void {
  return (full) => session.abort(new LimitError(full));
}

export interface Bound {
  readonly place: Place;
  readonly full: Full;
}

export class Limits {
  readonly #limits: SessionLimits;
  readonly #parts: QuotaParts;

  constructor(limits: SessionLimits, parts: QuotaParts) {
    this.#limits = limits;
    this.#parts = parts;
  }

  /**
   * A session of a client at `source` begins, or there is no room for it.
   * @param penalty to be looked at first
   */
  async begin(source: string, penalty: Bound | null = null): Promise<SessionQuota | Full> {
    const quota = new SessionQuota(this.#parts);
    const full = await quota.join(this.#scopesOf(source), penalty === null ? [] : [penalty]);
    return full ?? quota;
  }

  /**
   * One of several sessions on a connection, one after the other: the connection has the place that {@link begin} took.
   * @param counted the first of them is already
   */
  async follow(source: string, counted: boolean): Promise<SessionQuota | Full> {
    const quota = new SessionQuota(this.#parts);
    const bounds = (scope: Scope) =>
      counted ? [] : boundsOf(scope).filter(({ place }) => place.within !== undefined);
    const full = await quota.join(this.#scopesOf(source), [], bounds);
    return full ?? quota;
  }

  #scopesOf(source: string): Scope[] {
    return [
      { whose: "", path: "limits", allowance: this.#limits },
      { whose: `from ${source}`, path: "limits.perSource", allowance: this.#limits.perSource },
    ];
  }

  /** What every session of `user` shares. */
  ofUser(user: string): Scope {
    return { whose: `of ${user}`, path: "limits.perUser", allowance: this.#limits.perUser };
  }

  /** What every session shares that the rule allows; `rule` is counted from 1. */
  ofRule(rule: number, allowance: Allowance): Scope {
    return { whose: `by rule ${rule}`, path: `rules[${rule - 1}].limits`, allowance };
  }
}

/** What is counted of each limit, and what is said where it stands in the way. */
const COUNTED = {
  sessions: { key: SESSIONS, what: "sessions are open" },
  sessionsPerMinute: { key: "sessions a minute", what: "sessions were opened in a minute" },
  bytesPerDay: { key: "bytes a day", what: "bytes were carried in a day" },
} as const;

/** None where the scope has no such limit. */
function boundFor(
  { whose, path, allowance }: Scope,
  name: keyof typeof COUNTED,
  placeOf: (key: string, most: number) => Place,
): Bound[] {
  const most = allowance[name];
  if (most === null) return [];
  const { key, what } = COUNTED[name];
  const suffix = whose === "" ? "" : ` ${whose}`;
  const limit = `${path}.${name}`;
  const reason = `${most} ${what}${suffix}, which is the limit (${limit})`;
  return [{ place: placeOf(`${key}${suffix}`, most), full: { limit, reason } }];
}

const held = (key: string, most: number): Place => ({ key, most });
const aMinute = (key: string, most: number): Place => ({ key, most, within: MINUTE });

/** Whoever has used them up waits for a hundredth to come back, and is not let in for every single octet. */
const entry = (key: string, most: number): Place => ({
  key,
  most: most * (1 - ENTRY),
  within: DAY * (1 - ENTRY),
  amount: 0,
});

/** Octets that were carried, of those that the scope may carry in a day; none where it may carry any number. */
export function spentBy(scope: Scope, amount: number): Bound[] {
  return boundFor(scope, "bytesPerDay", (key, most) => ({ key, most, within: DAY, amount }));
}

/** To be taken when a session joins: what is held until its end, and what is used up. */
export function boundsOf(scope: Scope): Bound[] {
  return [
    ...boundFor(scope, "sessions", held),
    ...boundFor(scope, "sessionsPerMinute", aMinute),
    ...boundFor(scope, "bytesPerDay", entry),
  ];
}
