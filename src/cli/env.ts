/** `gssocks env`: what a shell has to say for its programs to go through a forwarder. */
import { Command, InvalidArgumentError, Option } from "commander";
import { FORWARDER_ADDRESS, parseForwarder } from "../config/forwarder.js";
import { readConfig } from "../config/load.js";
import { parseListenAddress } from "../config/values.js";
import { listenerAddressText, type TcpListenerAddress } from "../protocol/listener-address.js";
import { orInvalid, parseNoProxyList } from "./no-proxy-list.js";
import { print } from "./output.js";

const SHELLS = ["sh", "csh", "fish"] as const;

type Shell = (typeof SHELLS)[number];

interface Environment {
  listen: string;
  direct: readonly string[];
  shell: Shell;
  unset: boolean;
}

type EnvFlags = Partial<Pick<Environment, "listen" | "direct">> &
  Pick<Environment, "shell" | "unset"> & { config?: string };

/** Programs reach it without anybody's help. */
const THIS_HOST = ["localhost", "127.0.0.0/8", "::1"];

export function envCommand(): Command {
  return new Command("env")
    .description('print the shell\'s proxy variables for a forwarder: eval "$(gssocks env)"')
    .option("--listen <address>", `where the forwarder listens (default: ${FORWARDER_ADDRESS})`, parseListen)
    .option(
      "--direct <list>",
      `what goes without it, with commas (default: ${THIS_HOST.join(",")})`,
      parseNoProxyList,
    )
    .option("-c, --config <file>", "the forwarder's: its address, and what its direct lists beside this host")
    .addOption(new Option("--shell <name>", "whose language to print").choices(SHELLS).default("sh"))
    .option("--unset", "take the variables away instead", false)
    .action((flags: EnvFlags) => {
      const { shell, unset, config, ...given } = flags;
      const known = config === undefined ? {} : configured(config);
      const listen = given.listen ?? known.listen ?? FORWARDER_ADDRESS;
      const direct = given.direct ?? [...THIS_HOST, ...(known.direct ?? [])];
      print(environmentText({ listen, direct, shell, unset }));
    });
}

/** @throws ConfigError */
function configured(file: string): Partial<Environment> {
  const { config, routing } = parseForwarder(readConfig(file), file, { socket: null, logLevel: "info" });
  const { entries: direct } = routing.direct;
  // Of what systemd passes only systemd knows where it is.
  const tcp = config.listeners.find((listener) => "host" in listener && listener.http && listener.port !== 0);
  return tcp !== undefined && "host" in tcp ? { listen: textOf(tcp), direct } : { direct };
}

/** Both spellings: curl heeds `http_proxy` in small letters alone, others only the capitals. */
export function environmentText({ listen, direct, shell, unset }: Environment): string {
  const http = `http://${listen}`;
  const variables = {
    http_proxy: http,
    https_proxy: http,
    // Names are for the proxy to look up.
    all_proxy: `socks5h://${listen}`,
    no_proxy: direct.join(","),
  };
  return Object.entries(variables)
    .flatMap(([name, value]) => [name, name.toUpperCase()].map((each) => [each, value] as const))
    .map(([name, value]) => `${unset ? unsetting(shell, name) : setting(shell, name, value)}\n`)
    .join("");
}

function setting(shell: Shell, name: string, value: string): string {
  switch (shell) {
    case "sh":
      return `export ${name}='${value.replaceAll("'", "'\\''")}'`;
    case "csh":
      // A history reference works within quotes, too.
      return `setenv ${name} '${value.replaceAll("'", "'\\''").replaceAll("!", "\\!")}';`;
    case "fish":
      return `set -gx ${name} '${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  }
}

function unsetting(shell: Shell, name: string): string {
  return { sh: `unset ${name}`, csh: `unsetenv ${name};`, fish: `set -e ${name}` }[shell];
}

function parseListen(text: string): string {
  const address = orInvalid(() => parseListenAddress(text));
  if (address.port === 0) throw new InvalidArgumentError("expected the port that it listens on.");
  return textOf(address);
}

/** Programs connect to where it says, not to everywhere. */
function textOf({ host, port }: TcpListenerAddress): string {
  return listenerAddressText({ host: host === "::" ? "::1" : host === "0.0.0.0" ? "127.0.0.1" : host, port });
}
