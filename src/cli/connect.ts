import { closeSync, fstatSync, readFileSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { type HostPort, openThrough } from "../client/handshake.js";
import { ProxyStream } from "../client/proxy-stream.js";
import type { ProxyTlsOptions } from "../client/proxy-tls.js";
import { relayStdio } from "../client/stdio-relay.js";
import { GssocksError, NetworkError } from "../errors.js";
import { encodeEndpoint, parseHost } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { parseHostPort, parsePort } from "./host-port.js";

type Levels = [ProtectionLevel, ...ProtectionLevel[]];

interface ConnectFlags {
  proxy: HostPort;
  level: Levels;
  service: string;
  nec: boolean;
  timeout: number;
  tls: boolean;
  tlsCa?: Buffer;
  tlsPin?: string;
  tlsName?: string;
  tlsBindings: "tls-server-end-point" | "tls-exporter";
}

const LEVELS: readonly string[] = ["confidentiality", "integrity", "none"];

/** `gssocks connect`: standard input and output through a proxy, as ssh's ProxyCommand wants it. */
export function connectCommand(): Command {
  return new Command("connect")
    .description("join standard input and output to HOST PORT through a proxy, with your Kerberos ticket")
    .argument("<host>", "the destination; a name is resolved by the proxy", parseDestination)
    .argument("<port>", "its port", parsePort)
    .addOption(
      new Option("-p, --proxy <host:port>", "the proxy").argParser(parseHostPort).makeOptionMandatory(),
    )
    .addOption(
      new Option("-l, --level <level>", `accepted protection, best first, with commas: ${LEVELS.join(", ")}`)
        .argParser(parseLevels)
        .default(["confidentiality"], "confidentiality"),
    )
    .option("-s, --service <name>", "the service of the proxy's principal", parseService, "rcmd")
    .option("--nec", "send the protection level bare, for servers in NEC mode", false)
    .option("--tls", "speak TLS to the proxy", false)
    .option(
      "--tls-ca <file>",
      "authorities (PEM) for its certificate, in place of the system's; implies --tls",
      parseAuthorities,
    )
    .option("--tls-pin <hash>", "take this public key alone, as sha256//BASE64; implies --tls", parsePin)
    .option("--tls-name <name>", "the name its certificate bears, if not the proxy's; implies --tls")
    .addOption(
      new Option("--tls-bindings <type>", "what GSS-API is bound to")
        .choices(["tls-server-end-point", "tls-exporter"])
        .default("tls-server-end-point"),
    )
    .option("-t, --timeout <seconds>", "give up when it takes longer to connect", parseSeconds, 60)
    .action(async (host: string, port: number, flags: ConnectFlags) => run({ host, port }, flags));
}

async function run(destination: HostPort, flags: ConnectFlags): Promise<void> {
  const { proxy, level: levels, service, nec, timeout } = flags;
  const tls = tlsOptions(flags);
  const options = { proxy, levels, service, nec, timeout: timeout * 1000, tls };
  const dst = { host: parseHost(destination.host), port: destination.port };
  const opened = await openThrough(options, { cmd: CMD.CONNECT, dst });
  const relayed = relayStdio(opened);
  if (relayed !== null) return relayed;
  const stream = new ProxyStream(opened);
  // A person at a terminal won't end standard input after the destination has ended.
  if (process.stdin.isTTY) stream.once("end", () => process.stdin.destroy());
  await join(stream);
}

function tlsOptions(flags: ConnectFlags): ProxyTlsOptions | undefined {
  const { tls, tlsCa: ca, tlsPin: pin, tlsName: servername, tlsBindings: channelBindings } = flags;
  if (!tls && ca === undefined && pin === undefined && servername === undefined) return undefined;
  return { ca, pin, servername, channelBindings };
}

/** Standard input to the stream and the stream to standard output, each ending on its own. */
async function join(stream: ProxyStream): Promise<void> {
  const ended = await Promise.allSettled([
    pipeline(process.stdin, stream).catch(ignoreDestroyedInput),
    pipeline(stream, standardOutput()).catch(outputFailed),
  ]);
  const errors = ended.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
  // Either failure breaks the other pipeline too; ours is the one that tells why.
  const [error] = [...errors.filter((each) => each instanceof GssocksError), ...errors];
  if (error !== undefined) throw error;
}

/** Standard output that never blocks: Node writes to pipes synchronously, which would stop the other direction too. */
function standardOutput(): Writable {
  const kind = fstatSync(1);
  if (!kind.isFIFO() && !kind.isSocket()) return process.stdout;
  const output = new Socket({ fd: 1, readable: false, writable: true });
  // libuv leaves descriptors 0 to 2 open, and the reader would not see the end while standard input goes on.
  return output.once("close", () => closeSync(1));
}

function ignoreDestroyedInput(error: NodeJS.ErrnoException): void {
  if (error.code !== "ERR_STREAM_PREMATURE_CLOSE" || !process.stdin.destroyed) throw error;
}

function outputFailed(error: NodeJS.ErrnoException): never {
  if (error.code === "EPIPE") throw new NetworkError("OUTPUT_CLOSED", "standard output was closed");
  if (error.syscall !== "write" || error instanceof GssocksError) throw error;
  throw new NetworkError("OUTPUT_FAILED", `standard output can't be written: ${error.message}`, {
    cause: error,
  });
}

function parseDestination(text: string): string {
  try {
    encodeEndpoint({ host: parseHost(text), port: 0 });
  } catch {
    throw new InvalidArgumentError("expected a host name or an IP address.");
  }
  return text;
}

function parseService(text: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new InvalidArgumentError("expected a name, as rcmd or socks.");
  return text;
}

function parseAuthorities(file: string): Buffer {
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

function parseLevels(text: string): Levels {
  const levels = text.split(",");
  const wrong = levels.find((level) => !LEVELS.includes(level));
  if (wrong !== undefined)
    throw new InvalidArgumentError(`expected ${LEVELS.join(", ")}, not ${JSON.stringify(wrong)}.`);
  return levels as Levels;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86400))
    throw new InvalidArgumentError("expected seconds, above 0 and up to 86400.");
  return seconds;
}
