import type { Observer } from "../observability/events.js";
import {
  createLogger,
  type LogDestination,
  type Logger,
  type LogLevel,
  logDestination,
  logObserver,
} from "../observability/logger.js";
import { textLog } from "../observability/text-log.js";
import { tell } from "./output.js";

/** For programs, or for the person who looks at it. */
export type LogFormat = "json" | "text";

export interface Foreground {
  /** Where to tell events. */
  observer: Observer;
  log: LogDestination;
  setLevel(level: LogLevel): void;
  /** Waits for SIGTERM, SIGINT or SIGHUP. */
  onSignals: typeof onSignals;
  /** What is to be done before the log ends, in good order or not. What it throws is a failure. */
  atEnd(finish: (orderly: boolean) => Promise<void>): void;
}

/**
 * Runs a server in the foreground, with its log on standard output: exit status 0 when `run` is done. What it throws is
 * logged too.
 */
export async function foreground(
  level: LogLevel,
  format: LogFormat,
  run: (parts: Foreground) => Promise<void>,
): Promise<never> {
  let finish: (orderly: boolean) => Promise<void> = async () => {};
  const lines = logDestination((error) => logFailed(error, () => finish(false)));
  const destination = format === "text" ? textLog(lines) : lines;
  const logger = createLogger(level, destination);
  try {
    process.on("uncaughtException", (error) => die(logger, destination, error, () => finish(false)));
    const atEnd = (last: (orderly: boolean) => Promise<void>) => {
      finish = last;
    };
    try {
      const setLevel = (changed: LogLevel) => {
        logger.level = changed;
      };
      await run({ observer: logObserver(logger), log: destination, setLevel, onSignals, atEnd });
    } finally {
      await finish(true);
    }
  } catch (error) {
    logger.fatal({ code: (error as { code?: string }).code, reason: (error as Error).message }, "failed");
    throw error;
  } finally {
    await destination.finish();
  }
  // A GSS call that waits for a KDC would hold the process, and nobody waits for its result any more.
  process.exit(0);
}

/** A bug of ours: the state is not to be trusted any further, but the log is. */
function die(logger: Logger, destination: LogDestination, error: Error, finish: () => Promise<void>): void {
  logger.fatal({ code: "INTERNAL", reason: error.stack }, "failed");
  const end = () => destination.finish().then(() => process.exit(1));
  void finish().then(end, end);
}

/** Nobody may pass without a trace: without a log there is no service. */
function logFailed(error: Error, finish: () => Promise<void>): void {
  tell(`gssocks: the log can't be written: ${error.message}\n`);
  const end = () => process.exit(1);
  void finish().then(end, end);
}

/**
 * Resolves at the first signal; each one that follows calls `again`. The listeners stay: without one, a signal would
 * end the process there and then, and the log with it.
 * @param hangup called at SIGHUP; where absent, that is a signal like the others
 */
function onSignals(again: () => void, hangup?: () => void): Promise<void> {
  return new Promise((resolve) => {
    let first = true;
    const signalled = () => {
      if (!first) return again();
      first = false;
      resolve();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, signalled);
    process.on("SIGHUP", hangup ?? signalled);
  });
}
