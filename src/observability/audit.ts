/**
 * The audit trail: records are numbered as they come, wait in one queue, and go to one sink in that order.
 *
 * What it is for is that nobody passes without a trace. With `block`, whoever would let somebody pass waits for
 * {@link AuditTrail.written}, datagrams for {@link AuditTrail.room}, and no session begins while the queue is full; with
 * `drop` nobody waits, and records that find no room are counted. A record that was dropped has had its number, so that each loss is a gap, and one record
 * tells of it as soon as there is room.
 */
import { randomBytes } from "node:crypto";
import type { AuditRecord, AuditRecords, AuditSession, AuditState, Observer } from "./events.js";

/** Of the records; docs/audit.md tells what it promises. */
export const AUDIT_VERSION = 1;

/** A sink that failed is tried again after this, in ms. */
const TRY_AGAIN = 500;

/** How long a sink may take to close, in ms. */
const CLOSING = 5000;

/** How often a failure that lasts is told of, in ms. */
const REMIND = 60_000;

/** Records given to the sink at once. */
const BATCH = 256;

/** What the trail says about itself. */
export type TrailRecord = { time: string } & (
  | { type: "start"; pid: number }
  /** The last one of a process that ended in good order. */
  | { type: "stop"; dropped: number }
  /** Those numbered from `first` to `last` found no room. */
  | { type: "lost"; count: number; first: number; last: number }
);

export interface AuditEntry {
  readonly start: string;
  readonly seq: number;
  readonly record: AuditRecord | TrailRecord;
}

export interface AuditSink {
  /**
   * Writes `entries` in order and takes those out that are written, for good as far as the sink is told to see to that.
   * Rejects with the others left in: they will be given to it again.
   */
  write(entries: AuditEntry[]): Promise<void>;
  /** The file has been moved away. */
  reopen?(): void;
  /** A `write` under way is given up. */
  close(): Promise<void>;
}

export interface AuditTrailOptions {
  onFull: "block" | "drop";
  /** Records that may wait. */
  queue: number;
}

type Trouble = "full" | "failure" | "end";

/** One JSON object without its end, `{…`: sinks may add to it. */
export function encode({ start, seq, record }: AuditEntry): string {
  return `{"v":${AUDIT_VERSION},"start":"${start}","seq":${seq},${JSON.stringify(record).slice(1, -1)}`;
}

export class AuditTrail implements AuditRecords {
  readonly #sink: AuditSink;
  readonly #options: AuditTrailOptions;
  readonly #observer: Observer;
  readonly #start = randomBytes(8).toString("hex");
  readonly #queue: AuditEntry[] = [];
  /** With the sink. */
  #batch: AuditEntry[] = [];
  /** Of the sessions whose records have come. */
  readonly carried = { sessions: 0, bytesUp: 0, bytesDown: 0 };
  #seq = 0;
  #written = 0;
  #waiting: { seq: number; resolve: () => void }[] = [];
  #lost: { first: number; last: number } | null = null;
  #dropped = 0;
  #draining: Promise<void> | null = null;
  #failing = false;
  /** When the log was last told of each thing that is wrong; empty while nothing is. */
  readonly #told = new Map<Trouble, number>();
  #watching: ((state: AuditState) => void)[] = [];
  #state: AuditState = { full: null, inOrder: true };
  #closing = false;
  #givenUp = false;
  #wake: () => void = () => {};

  /** @param observer told of failures */
  constructor(sink: AuditSink, options: AuditTrailOptions, observer: Observer) {
    this.#sink = sink;
    this.#options = options;
    this.#observer = observer;
    this.#take({ type: "start", time: now(), pid: process.pid });
  }

  /** Records that no room was found for. */
  get dropped(): number {
    return this.#dropped;
  }

  get full(): string | null {
    if (this.#closing) return "the audit trail ends";
    if (this.#options.onFull === "drop" || this.#size < this.#options.queue) return null;
    return `${this.#size} records wait for the audit trail, which is the limit (audit.queue)`;
  }

  add(record: AuditRecord): void {
    if (record.type === "session") this.#count(record);
    if (this.#closing) return;
    const room = this.#options.queue - this.#size;
    // The loss is told of first, and both need a place.
    const drop = this.#options.onFull === "drop" && room < (this.#lost === null ? 1 : 2);
    if (drop) this.#drop();
    else this.#take(record);
    if (drop || this.full !== null) this.#tell("full", this.#noRoom);
    this.#look();
  }

  #count({ bytesUp, bytesDown }: AuditSession): void {
    this.carried.sessions += 1;
    this.carried.bytesUp += bytesUp;
    this.carried.bytesDown += bytesDown;
  }

  written(): Promise<void> {
    // Nobody passes any more.
    if (this.#closing) return new Promise(() => {});
    if (this.#options.onFull === "drop" || this.#written === this.#seq) return DONE;
    return new Promise((resolve) => {
      this.#waiting.push({ seq: this.#seq, resolve });
    });
  }

  room(): Promise<void> {
    return this.#inOrder ? DONE : this.written();
  }

  get state(): AuditState {
    return { full: this.full, inOrder: this.#inOrder };
  }

  watch(changed: (state: AuditState) => void): void {
    this.#watching.push(changed);
  }

  /** Another file is to be begun: the one before has been moved away. */
  reopen(): void {
    this.#sink.reopen?.();
  }

  /**
   * Writes what waits, and a last record. Whoever still waits for a record that is not written waits for ever.
   * @param patience milliseconds that it may take
   * @param orderly the sessions have ended before
   * @returns how many records were not written in that time
   */
  async close(patience: number, orderly: boolean): Promise<number> {
    if (this.#closing) return this.#size;
    this.#closing = true;
    this.#look();
    if (this.#lost !== null) this.#tellLost();
    if (orderly) this.#take({ type: "stop", time: now(), dropped: this.#dropped });
    this.#wake();
    await within(patience, this.#draining);
    this.#givenUp = true;
    const left = this.#size;
    if (left > 0) this.#tell("end", `${left} records could not be written before the end`);
    await within(CLOSING, this.#sink.close());
    return left;
  }

  get #inOrder(): boolean {
    return !this.#failing && this.#size < this.#options.queue && !this.#closing;
  }

  /** Tells those who watch, where something has changed. */
  #look(): void {
    if (this.#watching.length === 0) return;
    const { full, inOrder } = this.state;
    if ((full === null) === (this.#state.full === null) && inOrder === this.#state.inOrder) return;
    this.#state = { full, inOrder };
    for (const changed of this.#watching) changed(this.#state);
  }

  get #size(): number {
    return this.#queue.length + this.#batch.length;
  }

  get #noRoom(): string {
    const what = this.#options.onFull === "drop" ? "further ones are dropped" : "nobody is let in";
    return `${this.#options.queue} records wait, which is the limit (audit.queue): ${what}`;
  }

  #take(record: AuditRecord | TrailRecord): void {
    if (this.#lost !== null) this.#tellLost();
    this.#seq += 1;
    this.#queue.push({ start: this.#start, seq: this.#seq, record });
    this.#draining ??= this.#drain();
  }

  #drop(): void {
    this.#seq += 1;
    this.#dropped += 1;
    this.#lost ??= { first: this.#seq, last: this.#seq };
    this.#lost.last = this.#seq;
  }

  #tellLost(): void {
    const { first, last } = this.#lost as { first: number; last: number };
    this.#lost = null;
    this.#take({ type: "lost", time: now(), count: last - first + 1, first, last });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#givenUp) {
      this.#batch = this.#queue.splice(0, BATCH);
      const last = this.#batch.at(-1) as AuditEntry;
      let failure: Error | null = null;
      try {
        await this.#sink.write(this.#batch);
      } catch (error) {
        failure = error as Error;
      }
      this.#failing = failure !== null;
      this.#settle((this.#batch[0]?.seq ?? last.seq + 1) - 1);
      this.#queue.unshift(...this.#batch);
      this.#batch = [];
      this.#look();
      if (failure !== null) await this.#failed(failure);
      else if (this.#size < this.#options.queue / 2) this.#recovered();
    }
    this.#draining = null;
  }

  async #failed(failure: Error): Promise<void> {
    if (this.#givenUp) return;
    this.#tell("failure", `the audit trail can't be written: ${failure.message}`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, TRY_AGAIN);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #recovered(): void {
    if (this.#lost !== null) this.#tellLost();
    if (this.#told.size === 0) return;
    this.#told.clear();
    this.#observer({ type: "audit-trail", reason: null, waiting: this.#size, dropped: this.#dropped });
  }

  #tell(trouble: Trouble, reason: string): void {
    const time = performance.now();
    if (time - (this.#told.get(trouble) ?? Number.NEGATIVE_INFINITY) < REMIND) return;
    this.#told.set(trouble, time);
    this.#observer({ type: "audit-trail", reason, waiting: this.#size, dropped: this.#dropped });
  }

  /** Records up to number `seq` are written. */
  #settle(seq: number): void {
    this.#written = Math.max(this.#written, Math.min(seq, this.#seq));
    const ready = this.#waiting.findIndex((each) => each.seq > seq);
    for (const { resolve } of this.#waiting.splice(0, ready === -1 ? this.#waiting.length : ready)) resolve();
  }
}

/** Puts into the trail what is for it. */
export function auditObserver(trail: Pick<AuditTrail, "add">): Observer {
  return (event) => {
    if (event.type === "decision" || event.type === "session-closed") trail.add(event.record);
  };
}

const DONE = Promise.resolve();

/** Waits for `promise`, but no longer than that; keeps the process for so long. */
async function within(milliseconds: number, promise: Promise<void> | null): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function now(): string {
  return new Date().toISOString();
}
