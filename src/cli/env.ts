/** `gssocks env`: what a shell has to say for its programs to go through a forwarder. */
import { Command, InvalidArgumentError, Option } from "commander";
import { parseListenAddress } from "../config/values.js";
import { UsageError } from "../errors.js";
import { parseNoProxy } from "../policy/no-proxy.js";
import { listenerAddressText } from "../protocol/listener-address.js";
import { print } from "./output.js";

const SHELLS = ["sh", "csh", "fish"] as const;

type Shell = (typeof SHELLS)[number];

interface EnvFlags {
  listen: string;
  direct: string;
  shell: Shell;
  unset: boolean;
}

export function envCommand(): Command {
  return new Command("env")
    .description('print the shell\'s proxy variables for a forwarder: eval "$(gssocks env)"')
    .option("--listen <address>", "where the forwarder listens", parseListen, "127.0.0.1:1081")
    .option("--direct <list>", "what goes without it, with commas", parseList, "localhost,127.0.0.0/8,::1")
    .addOption(new Option("--shell <name>", "whose language to print").choices(SHELLS).default("sh"))
    .option("--unset", "take the variables away instead", false)
    .action((flags: EnvFlags) => {
      print(environmentText(flags));
    });
}

/** Both spellings: curl heeds `http_proxy` in small letters alone, others only the capitals. */
export function environmentText({ listen, direct, shell, unset }: EnvFlags): string {
  const http = `http://${listen}`;
  const variables = {
    http_proxy: http,
    https_proxy: http,
    // Names are for the proxy to look up.
    all_proxy: `socks5h://${listen}`,
    no_proxy: direct,
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
  const address = checked(text, parseListenAddress);
  // Programs connect to where it says, not to everywhere.
  const host = address.host === "::" ? "::1" : address.host === "0.0.0.0" ? "127.0.0.1" : address.host;
  if (address.port === 0) throw new InvalidArgumentError("expected the port that it listens on.");
  return listenerAddressText({ ...address, host });
}

function parseList(text: string): string {
  checked(text, parseNoProxy);
  return text.split(/[,\s]+/).join(",");
}

function checked<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
