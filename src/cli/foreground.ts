import type { Observer } from "../observability/events.js";
import {
  createLogger,
  type LogDestination,
  type Logger,
  type LogLevel,
  logDestination,
  logObserver,
} from "../observability/logger.js";

/**
 * Runs a server in the foreground, with its log on standard output: exit status 0 when `run` is done. What it throws is
 * logged too.
 * @param run gets where to tell events, what waits for SIGTERM, SIGINT or SIGHUP, and where lines of others go
 */
export async function foreground(
  level: LogLevel,
  run: (observer: Observer, signals: typeof onSignals, log: LogDestination) => Promise<void>,
): Promise<never> {
  const destination = logDestination(logFailed);
  const logger = createLogger(level, destination);
  try {
    process.on("uncaughtException", (error) => die(logger, destination, error));
    await run(logObserver(logger), onSignals, destination);
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
function die(logger: Logger, destination: LogDestination, error: Error): void {
  logger.fatal({ code: "INTERNAL", reason: error.stack }, "failed");
  void destination.finish().then(() => process.exit(1));
}

/** Nobody may pass without a trace: without a log there is no service. */
function logFailed(error: Error): never {
  process.stderr.write(`gssocks: the log can't be written: ${error.message}\n`);
  process.exit(1);
}

/**
 * Resolves at the first signal; each one that follows calls `again`. The listeners stay: without one, a signal would
 * end the process there and then, and the log with it.
 */
function onSignals(again: () => void): Promise<void> {
  return new Promise((resolve) => {
    let first = true;
    const signalled = () => {
      if (!first) return again();
      first = false;
      resolve();
    };
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, signalled);
  });
}
