import path from "node:path";
import { Command, Option } from "commander";
import { controlSocketIn } from "../config/control.js";
import { parseForwarder } from "../config/forwarder.js";
import { readConfig } from "../config/load.js";
import { UsageError } from "../errors.js";
import type { LogFormat } from "./foreground.js";
import {
  addForwarderFlags,
  checkForwarderFlags,
  type ForwarderFlags,
  forwarderConfigOf,
} from "./forward-flags.js";
import { showForwarder } from "./forward-status.js";
import { runServer } from "./run-server.js";
import { alone } from "./services.js";
import { VERDICTS } from "./upstream-look.js";

interface ForwardFlags extends ForwarderFlags {
  config?: string;
  log: LogFormat;
  logLevel: string;
  status?: boolean;
  json?: boolean;
}

/** `gssocks forward`: a proxy of the user's own, for programs that know nothing of Kerberos. */
export function forwardCommand(): Command {
  const command = addForwarderFlags(
    new Command("forward").description(
      "let your own programs through a proxy, with your Kerberos ticket; SIGHUP reloads",
    ),
  );
  const own = command.options.map((option) => option.attributeName());
  return command
    .addOption(
      new Option(
        "-c, --config <file>",
        "for more: a configuration as serve's, completed for a forwarder; also has the keys direct and refuse",
      ).conflicts(own),
    )
    .addOption(new Option("--log <format>", "of what it tells").choices(["text", "json"]).default("text"))
    .addOption(
      new Option("--log-level <level>", "how much it tells")
        .choices(["error", "warn", "info", "debug", "trace"])
        .default("info"),
    )
    .addOption(
      new Option(
        "--status",
        "how the forwarder that runs fares: upstreams, tickets, sessions; on a terminal until ^C",
      ).conflicts(own),
    )
    .option("--json", "the same once, as a JSON object")
    .addHelpText("after", `\nExit status of --status: ${VERDICTS}.`)
    .action((flags: ForwardFlags) => {
      if (flags.status) return showForwarder(askedForwarder(flags.config), flags.json ?? false);
      if (flags.json) command.error("error: --json goes with --status");
      if (flags.config === undefined) checkForwarderFlags(flags, command);
      return runServer(
        () => load(flags),
        (_, loaded, parts) => alone(loaded, parts),
        flags.log,
      );
    });
}

/** Where the one that was started likewise is asked. */
function askedForwarder(file: string | undefined): string {
  const configured = file === undefined ? null : controlSocketIn(readConfig(file));
  const socket = configured ?? controlSocket();
  if (socket !== null) return socket;
  const remedy = "have XDG_RUNTIME_DIR name a directory, or control.socket of a configuration a socket";
  throw new UsageError("NO_CONTROL_SOCKET", `there is no place for a forwarder's control socket: ${remedy}`);
}

function load(flags: ForwardFlags) {
  const { config: file, logLevel } = flags;
  const source = file === undefined ? JSON.stringify(forwarderConfigOf(flags)) : readConfig(file);
  const preset = { socket: controlSocket(), logLevel };
  const { config } = parseForwarder(source, file ?? "the command line", preset);
  return { source, config };
}

/** In the user's own directory for such things; null where there is none. */
function controlSocket(): string | null {
  const { XDG_RUNTIME_DIR: directory = "" } = process.env;
  return directory === "" ? null : path.join(directory, "gssocks-forward");
}
