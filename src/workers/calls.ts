/** What a worker and the primary have to say to each other. */
import type { Outcome } from "../auth/password-throttle.js";
import type { AuditRecord, AuditState } from "../observability/events.js";
import type { MetricsAsJson } from "../observability/metrics-sum.js";
import type { Listener, ListeningSocket } from "../server/listener.js";
import type { Owner, TcpAddress } from "../server/outgoing.js";
import type { SessionInfo } from "../server/session-info.js";
import type { Place } from "../server/shared-counts.js";
import type { UpstreamInfo } from "../server/upstream-info.js";

/** Where a worker finds the memory of shared rates: behind standard input, output and error, and the channel. */
export const RATES = 4;
/** And the listeners' sockets. */
export const FIRST_SOCKET = 5;

/** The configuration as the primary has read it, whatever has become of the file since. */
export interface WorkerConfig {
  file: string;
  source: string;
}

export interface WorkerSetup extends WorkerConfig {
  /** How many there are. */
  workers: number;
  /** In the configuration's order. */
  sockets: ListeningSocket[];
  /** Those of the primary. */
  ownListeners: Listener["bound"][];
}

/** The primary carries these out, for one worker. */
export interface PrimaryCalls {
  /** {@link Places} */
  take(places: readonly Place[]): Place | null;
  release(keys: readonly string[]): void;
  spend(places: readonly Place[]): Place | null;
  /** {@link Throttle.begin}; `attempt` numbers it. Null when it may begin, or the reason why it may not. */
  beginAttempt(attempt: number, username: string, address: string): string | null;
  giveUpAttempt(attempt: number): void;
  settleAttempt(attempt: number, outcome: Outcome): void;
  /** {@link AuditRecords} */
  addRecord(record: AuditRecord): void;
  /** Answered when what was added before is written. */
  recordsWritten(): null;
  /** Answered at once: what was added before is with the primary. */
  recordsTaken(): null;
}

/** A worker carries these out. */
export interface WorkerCalls {
  /** Null once it serves, or why it can't. */
  start(setup: WorkerSetup): string | null;
  /**
   * Takes no further connections, and ends when its sessions have ended, after `drain` ms at most.
   * The answer is how many there are.
   */
  stop(drain: number): number;
  /** Does not wait for them any longer. */
  abort(): void;
  /** For a listener of the configuration that is to follow; those come in its order. Whether it has arrived. */
  addSocket(handle: unknown): boolean;
  /** How many sessions the new rules have ended, or why all is as it was. */
  reload(config: WorkerConfig): { ended: number } | { failure: string };
  sessions(): SessionInfo[];
  upstreams(): UpstreamInfo[];
  /** Those that there were. */
  kill(sessions: readonly string[]): string[];
  findOwner(local: TcpAddress, remote: TcpAddress): Owner | null;
  notReady(): readonly string[];
  /** Its event loop turns. */
  ping(): true;
  /** Null where they are not wanted. */
  metrics(): MetricsAsJson | null;
  /** The audit trail's. */
  auditState(state: AuditState): void;
}
