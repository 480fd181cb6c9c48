import path from "node:path";
import { Command, Option } from "commander";
import { controlSocketIn } from "../config/control.js";
import { forwarderConfig } from "../config/forwarder.js";
import { parseConfig, readConfig } from "../config/load.js";
import { ConfigError, UsageError } from "../errors.js";
import type { LogFormat } from "./foreground.js";
import { showForwarder } from "./forward-status.js";
import { runServer } from "./run-server.js";
import { alone } from "./services.js";
import { VERDICTS } from "./upstream-look.js";

interface ForwardFlags {
  listen?: string[];
  proxy?: string[];
  config?: string;
  level?: string[];
  service?: string;
  log: LogFormat;
  logLevel: string;
  status?: boolean;
  json?: boolean;
}

const LEVELS: readonly string[] = ["confidentiality", "integrity", "none"];

/** `gssocks forward`: a proxy of the user's own, for programs that know nothing of Kerberos. */
export function forwardCommand(): Command {
  const own = ["listen", "proxy", "level", "service"];
  return new Command("forward")
    .description("let your own programs through a proxy, with your Kerberos ticket; SIGHUP reloads")
    .option(
      "--listen <address>",
      "where programs connect to, several times for more (default: 127.0.0.1:1081)",
      collect,
    )
    .option("-p, --proxy <host:port>", "the proxy, several times for those that stand in for it", collect)
    .addOption(
      new Option(
        "-l, --level <level>",
        `accepted protection, best first, with commas: ${LEVELS.join(", ")} (default: confidentiality)`,
      ).argParser((text) => text.split(",")),
    )
    .option("-s, --service <name>", "the service of the proxy's principal (default: rcmd)")
    .addOption(
      new Option(
        "-c, --config <file>",
        "for more: a configuration as serve's, completed for a forwarder",
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
    .action((flags: ForwardFlags, command: Command) => {
      if (flags.status) return showForwarder(askedForwarder(flags.config), flags.json ?? false);
      if (flags.json) command.error("error: --json goes with --status");
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

function load({ config: file, ...flags }: ForwardFlags) {
  if (file === undefined && flags.proxy === undefined)
    throw new ConfigError("the command line", [{ path: "", message: "expected --proxy or --config" }]);
  const source = file === undefined ? JSON.stringify(written(flags)) : readConfig(file);
  const preset = { socket: controlSocket(), logLevel: flags.logLevel };
  const config = parseConfig(source, file ?? "the command line", (value) => forwarderConfig(value, preset));
  return { source, config };
}

/** What a configuration file would say. */
function written({ listen, proxy, level, service }: ForwardFlags): unknown {
  return {
    ...(listen === undefined ? {} : { listeners: listen.map((address) => ({ address })) }),
    upstreams: { proxy: { proxies: proxy, gssapi: { protectionLevels: level, service } } },
  };
}

/** In the user's own directory for such things; null where there is none. */
function controlSocket(): string | null {
  const { XDG_RUNTIME_DIR: directory = "" } = process.env;
  return directory === "" ? null : path.join(directory, "gssocks-forward");
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
