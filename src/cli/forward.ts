import path from "node:path";
import { Command, Option } from "commander";
import { forwarderConfig } from "../config/forwarder.js";
import { parseConfig, readConfig } from "../config/load.js";
import { ConfigError } from "../errors.js";
import type { LogFormat } from "./foreground.js";
import { runServer } from "./run-server.js";
import { alone } from "./services.js";

interface ForwardFlags {
  listen?: string[];
  proxy?: string[];
  config?: string;
  level?: string[];
  service?: string;
  log: LogFormat;
  logLevel: string;
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
    .action((flags: ForwardFlags) =>
      runServer(
        () => load(flags),
        (_, loaded, parts) => alone(loaded, parts),
        flags.log,
      ),
    );
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
