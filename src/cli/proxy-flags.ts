/** The options of the command line that say how proxies are spoken to: of one command as of the other. */
import { accessSync, constants } from "node:fs";
import path from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ClientMethod } from "../client/proxy-options.js";
import { isThisHost, parseHost } from "../protocol/address.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { checkUsername } from "../protocol/username-password.js";

type Levels = [ProtectionLevel, ...ProtectionLevel[]];

/** Files by their absolute paths. */
export interface ProxyFlags {
  protocol: "socks5" | "http";
  method: ClientMethod[];
  user?: string;
  passwordFile?: string;
  sendClearTextPassword: boolean;
  level: Levels;
  service?: string;
  targetName?: string;
  principal?: string;
  ccache?: string;
  clientKeytab?: string;
  nec: boolean;
  tls: boolean;
  tlsCa?: string;
  tlsPin?: string;
  tlsName?: string;
  tlsBindings: "tls-server-end-point" | "tls-exporter";
}

const LEVELS: readonly string[] = ["confidentiality", "integrity", "none"];
const METHODS: readonly string[] = ["gssapi", "password", "none"];

/**
 * All of them; whoever adds them says by `--proxy` or otherwise which proxies it is about.
 * @param methods how many `--method` may name
 */
export function addProxyFlags(command: Command, methods: "one" | "several"): Command {
  const several = methods === "several" ? ", with commas" : "";
  return command
    .addOption(
      new Option("--protocol <protocol>", "what it speaks").choices(["socks5", "http"]).default("socks5"),
    )
    .addOption(
      new Option("-m, --method <method>", `how you may show who you are${several}: ${METHODS.join(", ")}`)
        .argParser((text) => parseList(text, METHODS))
        .default(["gssapi"], "gssapi"),
    )
    .addOption(
      new Option("-u, --user <name>", "for the method password, which it implies")
        .argParser(parseUser)
        .implies({ method: ["password"] }),
    )
    .option("--password-file <file>", "its password, the first line; /dev/fd/3 is a descriptor", parseFile)
    .option(
      "--send-clear-text-password",
      "send it without TLS to another host, where whoever is on the way can read it",
      false,
    )
    .addOption(
      new Option("-l, --level <level>", `accepted protection, best first, with commas: ${LEVELS.join(", ")}`)
        .argParser((text) => parseList(text, LEVELS))
        .default(["confidentiality"], "confidentiality"),
    )
    .option(
      "-s, --service <name>",
      "the service of the proxy's principal (default: rcmd; HTTP for an HTTP proxy)",
      parseService,
    )
    .option("--target-name <name>", "the proxy's name in full, service@host or service/host@REALM")
    .option("--principal <name>", "whose ticket, where you have several, or a key in --client-keytab")
    .option("--ccache <name>", "where the ticket is, as FILE:PATH or KCM: (default: KRB5CCNAME's)")
    .option("--client-keytab <file>", "get tickets with this key, as a service does")
    .option("--nec", "send the protection level bare, for servers in NEC mode", false)
    .option("--tls", "speak TLS to the proxy", false)
    .option(
      "--tls-ca <file>",
      "authorities (PEM) for its certificate, in place of the system's; implies --tls",
      parseFile,
    )
    .option("--tls-pin <hash>", "take this public key alone, as sha256//BASE64; implies --tls", parsePin)
    .option("--tls-name <name>", "the name its certificate bears, if not the proxy's; implies --tls")
    .addOption(
      new Option("--tls-bindings <type>", "what GSS-API is bound to")
        .choices(["tls-server-end-point", "tls-exporter"])
        .default("tls-server-end-point"),
    );
}

export function wantsTls({ tls, tlsCa, tlsPin, tlsName }: ProxyFlags): boolean {
  return tls || tlsCa !== undefined || tlsPin !== undefined || tlsName !== undefined;
}

/**
 * Ends the program where they do not go together.
 * @param hosts the proxies', by name or address
 */
export function checkProxyFlags(flags: ProxyFlags, hosts: readonly string[], command: Command): void {
  const { method, user, passwordFile, sendClearTextPassword } = flags;
  if (!method.includes("password")) return;
  if (user === undefined || passwordFile === undefined)
    command.error("error: the method password needs --user and --password-file");
  const far = hosts.find((host) => !isThisHost(parseHost(host)));
  if (far === undefined || wantsTls(flags) || sendClearTextPassword) return;
  const remedy = "add --tls, or say --send-clear-text-password";
  command.error(`error: the password would cross the network in clear to ${far}: ${remedy}`);
}

function parseService(text: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new InvalidArgumentError("expected a name, as rcmd or socks.");
  return text;
}

/** Read when it is needed: what a descriptor gives, it gives once. */
export function parseFile(file: string): string {
  try {
    accessSync(file, constants.R_OK);
    return path.resolve(file);
  } catch (error) {
    throw new InvalidArgumentError(`it can't be read: ${(error as Error).message}.`);
  }
}

function parsePin(text: string): string {
  if (/^(sha256\/\/)?[A-Za-z0-9+/]{43}=$/.test(text)) return text;
  throw new InvalidArgumentError("expected sha256// and 44 characters of base64.");
}

function parseList(text: string, allowed: readonly string[]): string[] {
  const list = text.split(",");
  const wrong = list.find((each) => !allowed.includes(each));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`expected ${allowed.join(", ")}, not ${JSON.stringify(wrong)}.`);
  return list;
}

function parseUser(text: string): string {
  try {
    checkUsername(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
  return text;
}
