/** Audit records in the log: each is one line of it, `"msg":"audit"`. They stay when the log is turned down, short of silence. */
import { type AuditEntry, type AuditSink, encode } from "./audit.js";
import type { LogDestination } from "./logger.js";

export class AuditLog implements AuditSink {
  readonly #destination: LogDestination;
  readonly #silent: boolean;

  constructor(destination: LogDestination, silent: boolean) {
    this.#destination = destination;
    this.#silent = silent;
  }

  async write(entries: AuditEntry[]): Promise<void> {
    if (!this.#silent) for (const entry of entries) this.#destination.write(logLine(entry));
    await this.#destination.written();
    entries.length = 0;
  }

  /** The log's own end sees to what is left. */
  async close(): Promise<void> {}
}

/** As pino would write it. */
export function logLine(entry: AuditEntry): string {
  return `{"severity":"info",${encode(entry).slice(1)},"msg":"audit"}\n`;
}
