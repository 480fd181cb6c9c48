import { Command } from "commander";
import { loadConfig } from "../config/load.js";
import { ConfigError } from "../errors.js";
import type { LogLevel } from "../observability/logger.js";
import { IdentServer } from "../server/ident-server.js";
import { foreground } from "./foreground.js";
import { Supervisor } from "./supervisor.js";

/** `gssocks identd`: the Ident server in the foreground, until SIGTERM, SIGINT or SIGHUP. */
export function identdCommand(): Command {
  return new Command("identd")
    .description("tell destinations who is behind a connection (Ident, RFC 1413); logs as serve does")
    .requiredOption("-c, --config <file>", "the configuration, the same as the proxy's")
    .action(async ({ config }: { config: string }) => identd(config));
}

async function identd(file: string): Promise<void> {
  const supervisor = Supervisor.take();
  const { identd: options, log } = loadConfig(file);
  if (options === null) {
    throw new ConfigError(file, [
      { path: "identd", message: "missing; expected a mapping, as `identd: {}`" },
    ]);
  }
  await foreground(log.level as LogLevel, "json", async ({ observer, onSignals }) => {
    const server = new IdentServer(options, observer);
    const stopped = onSignals(() => {});
    await server.start();
    supervisor.ready("Serving");
    await stopped;
    supervisor.stopping("Ending");
    server.stop();
  });
}
