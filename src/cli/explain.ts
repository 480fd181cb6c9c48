import { isIP } from "node:net";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import type { HostPort } from "../client/handshake.js";
import { loadConfig } from "../config/load.js";
import { parseListenerAddress } from "../config/values.js";
import { mechanismName, parseMechanism } from "../gss/oids.js";
import { AUTH_METHODS, type AuthMethodName } from "../policy/auth-methods.js";
import { COMMANDS, type CommandName, LEVELS } from "../policy/facts.js";
import { parseSubject } from "../policy/tls-subject.js";
import { listenerAddressText } from "../protocol/listener-address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { destinationOf, explain, explanationText, type Question } from "./explanation.js";
import { parseHostPort } from "./host-port.js";
import { print } from "./output.js";

const DENIED = 1;

export interface Flags {
  as?: string;
  from?: string;
  to: HostPort;
  command: CommandName;
  method?: AuthMethodName;
  mechanism?: string;
  level?: AgreedLevel;
  listener?: string;
  tls?: boolean;
  tlsSubject?: string[];
  localName?: string;
  group?: string[];
  at?: number;
  address?: string[];
  json: boolean;
}

/** `gssocks explain`: what the rules would say to somebody. Exit status: 0 allowed, 1 denied, 2 bad command line or file. */
export function explainCommand(): Command {
  return explainOptions(new Command("explain"))
    .addHelpText("after", "\nExit status: 0 allowed, 1 denied, 2 bad command line or configuration.")
    .action(async (file: string, flags: Flags, command: Command) => {
      const config = loadConfig(file);
      const { listener } = flags;
      if (listener !== undefined && !config.listeners.some((each) => listenerAddressText(each) === listener))
        command.error(`error: the configuration has no listener ${listener}`);
      const explanation = await explain(config, questionOf(flags));
      const text = flags.json
        ? `${JSON.stringify(explanation, infinite, 2)}\n`
        : explanationText(explanation);
      print(text);
      if (explanation.decision === "deny") process.exitCode = DENIED;
    });
}

/** The arguments and options of `gssocks explain`. */
export function explainOptions(command: Command): Command {
  return command
    .description("say what the rules decide about somebody who wants to go somewhere, and why")
    .addArgument(new Argument("<config>", "the configuration"))
    .addOption(new Option("--as <name>", "the principal, as alice@EXAMPLE.TEST, or another user's name"))
    .addOption(new Option("--from <address>", "the client's address").argParser(parseAddress))
    .addOption(
      new Option("--to <host:port>", "where it wants to go").argParser(parseHostPort).makeOptionMandatory(),
    )
    .addOption(new Option("--command <name>", "what for").choices(COMMANDS).default("connect"))
    .addOption(
      new Option(
        "--method <name>",
        "how it was authenticated (default: gssapi for a name with @, password for others)",
      ).choices(AUTH_METHODS),
    )
    .addOption(
      new Option("--mechanism <name>", "GSS-API mechanism (default: krb5)").argParser(parseMechanismName),
    )
    .addOption(
      new Option("--level <name>", "protection level (default: the listener's first)").choices(LEVELS),
    )
    .addOption(
      new Option("--listener <address>", "the listener's address (default: the first)").argParser(
        parseListener,
      ),
    )
    .addOption(new Option("--tls", "it speaks TLS (default: where the listener does)"))
    .addOption(new Option("--no-tls", "it does not"))
    .addOption(
      new Option("--tls-subject <subject>", "of its certificate, as CN=alice, O=Example").argParser(
        parseSubject,
      ),
    )
    .addOption(new Option("--local-name <name>", "its local name (default: what the Kerberos library says)"))
    .addOption(
      new Option(
        "--group <name...>",
        "the groups it is in, of those that rules ask for (default: as looked up)",
      ),
    )
    .addOption(
      new Option("--at <time>", "when, as 2024-12-31T18:00:00+01:00 (default: now)").argParser(parseTime),
    )
    .addOption(
      new Option("--address <address...>", "the addresses of the host (default: as looked up)").argParser(
        (text, all: string[] = []) => [...all, parseAddress(text)],
      ),
    )
    .addOption(new Option("--json", "as JSON").default(false));
}

export function questionOf(flags: Flags): Question {
  const { to } = flags;
  return {
    as: flags.as ?? null,
    from: flags.from ?? null,
    to: destinationOf(to.host, to.port),
    command: flags.command,
    method: flags.method ?? null,
    mechanism: flags.mechanism ?? null,
    level: flags.level ?? null,
    listener: flags.listener ?? null,
    tls: flags.tls ?? null,
    tlsSubject: flags.tlsSubject ?? null,
    localName: flags.localName ?? null,
    groups: flags.group ?? null,
    time: flags.at ?? Date.now(),
    addresses: flags.address ?? null,
  };
}

/** JSON has no Infinity; it is `never` in the configuration. */
function infinite(_: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? "never" : value;
}

function parseAddress(text: string): string {
  if (isIP(text) === 0) throw new InvalidArgumentError("expected an IP address.");
  return text;
}

function parseMechanismName(text: string): string {
  const oid = parseMechanism(text);
  if (oid === undefined) throw new InvalidArgumentError("expected a mechanism's name or its OID in dots.");
  return mechanismName(oid);
}

function parseListener(text: string): string {
  try {
    return listenerAddressText(parseListenerAddress(text));
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

function parseTime(text: string): number {
  const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError("expected a time as 2024-12-31T18:00:00+01:00.");
  return time;
}
