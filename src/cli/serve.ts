import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";
import {
  createLogger,
  type LogDestination,
  type Logger,
  type LogLevel,
  logDestination,
  logObserver,
} from "../observability/logger.js";
import { Server, type ServerOptions } from "../server/server.js";

/** `gssocks serve`: the server in the foreground, until SIGTERM, SIGINT or SIGHUP. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("run the proxy in the foreground; logs JSON lines to standard output")
    .requiredOption("-c, --config <file>", "the configuration")
    .action(async ({ config }: { config: string }) => serve(config));
}

async function serve(file: string): Promise<void> {
  const config = loadConfig(file);
  const destination = logDestination(logFailed);
  const logger = createLogger(config.log.level as LogLevel, destination);
  try {
    process.on("uncaughtException", (error) => die(logger, destination, error));
    const server = new Server(serverOptions(config), logObserver(logger));
    const stopped = onSignals(() => server.abort());
    await server.start();
    await stopped;
    await server.stop(config.timeouts.drain);
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

function serverOptions(config: Config): ServerOptions {
  const { handshake, connect, idle, total } = config.timeouts;
  const { keytab, targetNames, mechanisms } = config.gssapi;
  return {
    listeners: config.listeners,
    gssapi: { mechanisms, keytab: keytab ?? undefined, targetNames: targetNames ?? undefined },
    rules: config.rules,
    limits: config.limits,
    timeouts: {
      handshake,
      connect,
      idle: idle ?? Number.POSITIVE_INFINITY,
      total: total ?? Number.POSITIVE_INFINITY,
    },
  };
}
