import { Command } from "commander";
import { openPasswordBackend } from "../auth/password-backends.js";
import { DEFAULTS } from "../config/defaults.js";
import { loadConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";
import { isKerberos } from "../gss/oids.js";
import type { Observer } from "../observability/events.js";
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
    const server = new Server(serverOptions(config, observer), observer);
    const stopped = onSignals(() => server.abort());
    await server.start();
    await stopped;
    await server.stop(config.timeouts.drain);
  });
}

function serverOptions(config: Config, observer: Observer): ServerOptions {
  const { handshake, connect, bind, idle, total } = config.timeouts;
  const { keytab, targetNames, mechanisms, fastPath } = config.gssapi;
  return {
    ...config,
    passwords: passwordsOf(config, observer),
    gssapi: { mechanisms, keytab: keytabFor(mechanisms, keytab), targetNames: targetNames ?? undefined },
    fastPath,
    timeouts: {
      handshake,
      connect,
      bind,
      idle: idle ?? Number.POSITIVE_INFINITY,
      total: total ?? Number.POSITIVE_INFINITY,
    },
  };
}

function passwordsOf({ passwords }: Config, observer: Observer): ServerOptions["passwords"] {
  if (passwords === null) return null;
  const warn = (reason: string) => observer({ type: "warning", reason });
  const options =
    "ldap" in passwords ? { ldap: { ...passwords.ldap, timeout: DEFAULTS.directory } } : passwords;
  return () => openPasswordBackend(options, warn);
}

/** Other mechanisms, as gss-ntlmssp, take no part in a credential that names a keytab: the environment does it then. */
function keytabFor(mechanisms: readonly string[], keytab: string | null): string | undefined {
  if (keytab === null || mechanisms.every(isKerberos)) return keytab ?? undefined;
  process.env.KRB5_KTNAME = keytab;
  return undefined;
}
