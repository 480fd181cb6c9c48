/** Audit records through a transport of pino's, which runs in a thread of its own: lines as they would be in the log. */
import type { EventEmitter } from "node:events";
import { pino } from "pino";
import { NetworkError } from "../errors.js";
import type { AuditEntry, AuditSink } from "./audit.js";
import { logLine } from "./audit-log.js";

/** What pino.transport returns, of which its types tell less. */
interface Stream extends EventEmitter {
  readonly destroyed: boolean;
  write(line: string): boolean;
  /** Calls `done` when the transport has taken what was written. */
  flush(done: (error?: Error) => void): void;
  end(): void;
}

interface TransportOptions {
  target: string;
  options: Record<string, unknown>;
}

export class AuditTransport implements AuditSink {
  readonly #options: TransportOptions;
  #stream: Stream | null;

  /** @throws NetworkError (AUDIT_TRANSPORT) where the module can't be loaded */
  static async open(target: string, options: Record<string, unknown>): Promise<AuditTransport> {
    try {
      return new AuditTransport({ target, options }, await start({ target, options }));
    } catch (error) {
      throw new NetworkError(
        "AUDIT_TRANSPORT",
        `the transport ${target} does not start: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  private constructor(options: TransportOptions, stream: Stream) {
    this.#options = options;
    this.#stream = stream;
  }

  async write(entries: AuditEntry[]): Promise<void> {
    const stream = this.#stream?.destroyed === false ? this.#stream : await start(this.#options);
    this.#stream = stream;
    for (const entry of entries) stream.write(logLine(entry));
    await flush(stream);
    entries.length = 0;
  }

  async close(): Promise<void> {
    const stream = this.#stream;
    if (stream === null || stream.destroyed) return;
    await new Promise<void>((resolve) => {
      stream.once("close", resolve);
      stream.end();
    });
  }
}

/** A thread that ends leaves some callbacks without a call. */
async function flush(stream: Stream): Promise<void> {
  const gone = () => fail(new Error("the transport's thread ended"));
  let fail: (error: Error) => void = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      fail = reject;
      stream.once("error", reject).once("close", gone);
      stream.flush((error) => (error ? reject(error) : resolve()));
    });
  } finally {
    stream.off("error", fail).off("close", gone);
  }
}

async function start(options: TransportOptions): Promise<Stream> {
  const stream = pino.transport(options) as unknown as Stream;
  await new Promise<void>((resolve, reject) => stream.once("ready", resolve).once("error", reject));
  // Told by the next flush.
  stream.on("error", () => {});
  return stream;
}
