/** A worker's view of the audit trail: the primary numbers and writes the records of all. */
import type { AuditGate, AuditRecord, AuditState } from "../observability/events.js";
import type { ToPrimary } from "./asked-counts.js";

export class AskedTrail implements AuditGate {
  readonly #primary: ToPrimary;
  readonly #waits: boolean;
  #state: AuditState = { full: null, inOrder: true };

  /** @param waits whether anybody does until a record is written */
  constructor(primary: ToPrimary, waits: boolean) {
    this.#primary = primary;
    this.#waits = waits;
  }

  /** As the primary has told it. */
  set state(state: AuditState) {
    this.#state = state;
  }

  get full(): string | null {
    return this.#state.full;
  }

  add(record: AuditRecord): void {
    record.worker = process.pid;
    this.#primary.tell("addRecord", record);
  }

  async written(): Promise<void> {
    if (this.#waits) await this.#primary.call("recordsWritten").catch(nobodyPasses);
  }

  async room(): Promise<void> {
    if (!this.#state.inOrder) await this.written();
  }

  /** Fulfilled when the primary has all; also when there is none any more. */
  async flush(): Promise<void> {
    await this.#primary.call("recordsTaken").catch(() => null);
  }
}

/** The primary is gone. */
function nobodyPasses(): Promise<never> {
  return new Promise(() => {});
}
