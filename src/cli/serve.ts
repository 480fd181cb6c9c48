import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";
import { isKerberos } from "../gss/oids.js";
import type { LogLevel } from "../observability/logger.js";
import { Server, type ServerOptions } from "../server/server.js";
import { foreground } from "./foreground.js";

/** `gssocks serve`: the server in the foreground, until SIGTERM, SIGINT or SIGHUP. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("run the proxy in the foreground; logs JSON lines to standard output")
    .requiredOption("-c, --config <file>", "the configuration")
    .action(async ({ config }: { config: string }) => serve(config));
}

async function serve(file: string): Promise<void> {
  const config = loadConfig(file);
  await foreground(config.log.level as LogLevel, async (observer, onSignals) => {
    const server = new Server(serverOptions(config), observer);
    const stopped = onSignals(() => server.abort());
    await server.start();
    await stopped;
    await server.stop(config.timeouts.drain);
  });
}

function serverOptions(config: Config): ServerOptions {
  const { handshake, connect, idle, total } = config.timeouts;
  const { keytab, targetNames, mechanisms } = config.gssapi;
  return {
    listeners: config.listeners,
    gssapi: { mechanisms, keytab: keytabFor(mechanisms, keytab), targetNames: targetNames ?? undefined },
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

/** Other mechanisms, as gss-ntlmssp, take no part in a credential that names a keytab: the environment does it then. */
function keytabFor(mechanisms: readonly string[], keytab: string | null): string | undefined {
  if (keytab === null || mechanisms.every(isKerberos)) return keytab ?? undefined;
  process.env.KRB5_KTNAME = keytab;
  return undefined;
}
