/** What a rule says beside allow or deny. */
import type { AgreedLevel } from "../protocol/protection-level.js";

export const SEVERITIES = ["error", "warn", "info", "debug", "trace", "silent"] as const;

export type Severity = (typeof SEVERITIES)[number];

/** Each is null where the rule does not say it; most make sense with allow alone. */
export interface Terms {
  /** The administrator's words, which the log and the audit trail repeat. */
  readonly reason: string | null;
  /** A session at a lower level is denied. */
  readonly requireLevel: AgreedLevel | null;
  /** Of the log lines that tell of the decision. */
  readonly severity: Severity | null;
  /** Milliseconds, Infinity for no limit; instead of the server's `timeouts`. */
  readonly idle: number | null;
  readonly total: number | null;
  /** Octets a second. */
  readonly bandwidth: Bandwidth | null;
  /** What all sessions that the rule allows may take together. */
  readonly limits: Allowance | null;
  /** Where to go instead: the administrator's word, which no rule judges again. */
  readonly redirect: Redirect | null;
  /** The upstream that is asked to connect, by its name in the configuration. */
  readonly via: string | null;
  /** Addresses of ours to connect from, at most one of a family; to the other family there is no way then. */
  readonly sourceAddresses: readonly string[] | null;
}

/** Each is null where there is no limit. */
export interface Allowance {
  /** At once. */
  readonly sessions: number | null;
  readonly sessionsPerMinute: number | null;
  /** Both ways together, plain. */
  readonly bytesPerDay: number | null;
  /** Octets a second. */
  readonly bandwidth: Bandwidth | null;
}

export interface Bandwidth {
  /** From the client to the destination; null for no limit. */
  readonly up: number | null;
  readonly down: number | null;
}

export interface Redirect {
  /** A name or an address. */
  readonly host: string;
  /** null: the one that was asked for. */
  readonly port: number | null;
}

export const NO_TERMS: Terms = {
  reason: null,
  requireLevel: null,
  severity: null,
  idle: null,
  total: null,
  bandwidth: null,
  limits: null,
  redirect: null,
  via: null,
  sourceAddresses: null,
};
