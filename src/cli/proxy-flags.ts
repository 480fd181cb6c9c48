/** The options of the command line that say how a proxy is reached, and what they come to. */
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ClientMethod, HostPort, ProxyOptions } from "../client/proxy-options.js";
import type { ProxyTlsOptions } from "../client/proxy-tls.js";
import { Credential } from "../gss/credential.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../gss/oids.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { checkUsername } from "../protocol/username-password.js";
import { parseHostPort } from "./host-port.js";

type Levels = [ProtectionLevel, ...ProtectionLevel[]];

export interface ProxyFlags {
  proxy: HostPort;
  protocol: "socks5" | "http";
  method: ClientMethod[];
  user?: string;
  passwordFile?: Buffer;
  level: Levels;
  service?: string;
  targetName?: string;
  principal?: string;
  ccache?: string;
  clientKeytab?: string;
  nec: boolean;
  timeout: number;
  tls: boolean;
  tlsCa?: Buffer;
  tlsPin?: string;
  tlsName?: string;
  tlsBindings: "tls-server-end-point" | "tls-exporter";
}

const LEVELS: readonly string[] = ["confidentiality", "integrity", "none"];
const METHODS: readonly string[] = ["gssapi", "password", "none"];

export function addProxyFlags(command: Command): Command {
  return command
    .addOption(
      new Option("-p, --proxy <host:port>", "the proxy").argParser(parseHostPort).makeOptionMandatory(),
    )
    .addOption(
      new Option("--protocol <protocol>", "what it speaks").choices(["socks5", "http"]).default("socks5"),
    )
    .addOption(
      new Option("-m, --method <method>", `how you may show who you are, with commas: ${METHODS.join(", ")}`)
        .argParser((text) => parseList(text, METHODS))
        .default(["gssapi"], "gssapi"),
    )
    .addOption(
      new Option("-u, --user <name>", "for the method password, which it implies")
        .argParser(parseUser)
        .implies({ method: ["password"] }),
    )
    .option(
      "--password-file <file>",
      "its password, the first line; /dev/fd/3 is a descriptor",
      parsePasswordFile,
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
    )
    .option("-t, --timeout <seconds>", "give up when it takes longer to connect", parseSeconds, 60);
}

/** Ends the program where options do not go together. @throws GssError (no ticket) */
export async function proxyOptions(flags: ProxyFlags, command: Command): Promise<ProxyOptions> {
  const { proxy, protocol, method: methods, level: levels, service, targetName, nec, timeout } = flags;
  const { user: username, passwordFile: password } = flags;
  if (methods.includes("password") && (username === undefined || password === undefined))
    command.error("error: the method password needs --user and --password-file");
  const credential = methods.includes("gssapi") ? await credentialOf(flags) : undefined;
  return {
    proxy,
    protocol,
    methods,
    levels,
    nec,
    timeout: timeout * 1000,
    tls: tlsOptions(flags),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(service !== undefined && { service }),
    ...(targetName !== undefined && { targetName }),
    ...(credential !== undefined && { credential }),
  };
}

/** @returns undefined for the library's default, which is looked for with the proxy's name */
async function credentialOf(flags: ProxyFlags): Promise<Credential | undefined> {
  const { principal, ccache, clientKeytab, protocol } = flags;
  if (principal === undefined && ccache === undefined && clientKeytab === undefined) return undefined;
  const mechanisms = protocol === "http" ? [GSS_MECH_KRB5, GSS_MECH_SPNEGO] : [GSS_MECH_KRB5];
  const credential = await Credential.initiator({ principal, ccache, clientKeytab, mechanisms });
  if (protocol === "http") credential.setNegotiable([GSS_MECH_KRB5]);
  return credential;
}

function tlsOptions(flags: ProxyFlags): ProxyTlsOptions | undefined {
  const { tls, tlsCa: ca, tlsPin: pin, tlsName: servername, tlsBindings: channelBindings } = flags;
  if (!tls && ca === undefined && pin === undefined && servername === undefined) return undefined;
  return { ca, pin, servername, channelBindings };
}

function parseService(text: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new InvalidArgumentError("expected a name, as rcmd or socks.");
  return text;
}

function parseFile(file: string): Buffer {
  try {
    return readFileSync(file);
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

function parsePasswordFile(file: string): Buffer {
  const octets = parseFile(file);
  const end = octets.indexOf("\n");
  return octets.subarray(0, end < 0 ? octets.length : end);
}

function parseUser(text: string): string {
  try {
    checkUsername(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
  return text;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86400))
    throw new InvalidArgumentError("expected seconds, above 0 and up to 86400.");
  return seconds;
}
