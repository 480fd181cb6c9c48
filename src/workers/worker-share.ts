/** What one worker holds of what counts across connections, given back when the worker is gone; and its audit records. */
import type { Outcome, Settle } from "../auth/password-throttle.js";
import type { AuditRecord, AuditRecords } from "../observability/events.js";
import type { Place, SharedCounts } from "../server/shared-counts.js";
import type { PrimaryCalls } from "./calls.js";
import type { Handlers } from "./channel.js";

export class WorkerShare implements Handlers<PrimaryCalls> {
  readonly #counts: SharedCounts;
  readonly #places = new Map<string, number>();
  readonly #waiting = new Map<number, AbortController>();
  readonly #attempts = new Map<number, Settle>();
  readonly #trail: AuditRecords;
  #gone = false;

  constructor(counts: SharedCounts, trail: AuditRecords) {
    this.#counts = counts;
    this.#trail = trail;
  }

  /** Places of this kind. */
  held(key: string): number {
    return this.#places.get(key) ?? 0;
  }

  /** A worker may have ended with some of what it said unread. */
  giveBack(): void {
    this.#gone = true;
    for (const [key, held] of this.#places) {
      for (let each = 0; each < held; each += 1) this.#counts.places.release([key]);
    }
    this.#places.clear();
    for (const attempt of [...this.#waiting.keys(), ...this.#attempts.keys()]) this.giveUpAttempt(attempt);
  }

  async take(places: readonly Place[]): Promise<Place | null> {
    if (this.#gone) return null;
    const full = await this.#counts.places.take(places);
    if (full !== null) return full;
    const held = places.filter(({ within }) => within === undefined).map(({ key }) => key);
    if (this.#gone) this.#counts.places.release(held);
    else for (const key of held) this.#places.set(key, this.held(key) + 1);
    return null;
  }

  /** Also of one that is gone: it has been used. */
  spend(places: readonly Place[]): Promise<Place | null> {
    return this.#counts.places.spend(places);
  }

  release(keys: readonly string[]): void {
    if (this.#gone) return;
    for (const key of keys) {
      const left = this.held(key) - 1;
      if (left > 0) this.#places.set(key, left);
      else this.#places.delete(key);
    }
    this.#counts.places.release(keys);
  }

  async beginAttempt(attempt: number, username: string, address: string): Promise<string | null> {
    if (this.#gone) return null;
    const waiting = new AbortController();
    this.#waiting.set(attempt, waiting);
    try {
      const settle = await this.#counts.passwords.begin(username, address, waiting.signal);
      this.#attempts.set(attempt, settle);
      if (waiting.signal.aborted) this.settleAttempt(attempt, "unknown");
      return null;
    } catch (error) {
      return (error as Error).message;
    } finally {
      this.#waiting.delete(attempt);
    }
  }

  giveUpAttempt(attempt: number): void {
    this.#waiting.get(attempt)?.abort();
    this.settleAttempt(attempt, "unknown");
  }

  settleAttempt(attempt: number, outcome: Outcome): void {
    this.#attempts.get(attempt)?.(outcome);
    this.#attempts.delete(attempt);
  }

  addRecord(record: AuditRecord): void {
    this.#trail.add(record);
  }

  async recordsWritten(): Promise<null> {
    await this.#trail.written();
    return null;
  }

  recordsTaken(): null {
    return null;
  }
}
