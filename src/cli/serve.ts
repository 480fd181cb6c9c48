import { Command } from "commander";
import { parseConfig, readConfig } from "../config/load.js";
import type { Loaded } from "./reloader.js";
import { runServer } from "./run-server.js";
import { alone, type ServiceParts, several } from "./services.js";

const SIGNALS = `
SIGTERM and SIGINT: takes no further clients, lets open sessions end within
timeouts.drain, and ends; a second one cuts what is left. SIGHUP: reloads.
SIGUSR1: begins the audit trail's file anew, for logrotate.`;

/** `gssocks serve`: the server in the foreground, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("run the proxy in the foreground; logs JSON lines to standard output; SIGHUP reloads")
    .requiredOption("-c, --config <file>", "the configuration")
    .addHelpText("after", SIGNALS)
    .action(({ config: file }: { config: string }) => {
      const read = () => {
        const source = readConfig(file);
        return { source, config: parseConfig(source, file) };
      };
      const serve = (workers: number, ...loaded: [Loaded, ServiceParts]) =>
        workers === 1 ? alone(...loaded) : several(workers, file, ...loaded);
      return runServer(read, serve);
    });
}
