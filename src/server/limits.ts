/** What sessions may take: in all, from one source address, of one user and by one rule. */
import { type QuotaParts, SessionQuota } from "./session-quota.js";
import type { Place } from "./shared-counts.js";

/** Each is null where there is no limit. */
export interface Allowance {
  /** At once. */
  readonly sessions: number | null;
  readonly sessionsPerMinute: number | null;
  /** Both ways together, plain. */
  readonly bytesPerDay: number | null;
  /** Octets a second. */
  readonly bandwidth: { readonly up: number | null; readonly down: number | null } | null;
}

export interface SessionLimits extends Allowance {
  readonly perSource: Allowance;
  readonly perUser: Allowance;
}

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

/** A limit that stands in the way, and why. */
export interface Full {
  /** The key in the configuration. */
  readonly limit: string;
  readonly reason: string;
}

interface Bound extends Place {
  readonly full: Full;
}

export class Limits {
  readonly #limits: SessionLimits;
  readonly #parts: QuotaParts;

  constructor(limits: SessionLimits, parts: QuotaParts) {
    this.#limits = limits;
    this.#parts = parts;
  }

  /** A session of a client at `source` begins, or there is no room for it. */
  async begin(source: string): Promise<SessionQuota | Full> {
    const quota = new SessionQuota(this.#parts);
    const full = await quota.join([
      { whose: "", path: "limits", allowance: this.#limits },
      { whose: `from ${source}`, path: "limits.perSource", allowance: this.#limits.perSource },
    ]);
    return full ?? quota;
  }

  /** What every session of `user` shares. */
  ofUser(user: string): Scope {
    return { whose: `of ${user}`, path: "limits.perUser", allowance: this.#limits.perUser };
  }
}

/** To be taken when a session joins: what is held until its end, and what is used up. */
export function boundsOf({ whose, path, allowance }: Scope): Bound[] {
  const { sessions, sessionsPerMinute, bytesPerDay } = allowance;
  const suffix = whose === "" ? "" : ` ${whose}`;
  const bounds: Bound[] = [];
  const add = (key: string, most: number | null, what: string, name: string, place: Partial<Place>) => {
    if (most === null) return;
    const limit = `${path}.${name}`;
    const reason = `${most} ${what}${suffix}, which is the limit (${limit})`;
    bounds.push({ key: `${key}${suffix}`, most, ...place, full: { limit, reason } });
  };
  add(SESSIONS, sessions, "sessions are open", "sessions", {});
  add("sessions a minute", sessionsPerMinute, "sessions were opened in a minute", "sessionsPerMinute", {
    within: MINUTE,
  });
  add("bytes a day", bytesPerDay, "bytes were carried in a day", "bytesPerDay", { within: DAY, amount: 0 });
  return bounds;
}
