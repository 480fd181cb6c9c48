import { Command, InvalidArgumentError } from "commander";
import { bindThrough, openThrough } from "../client/handshake.js";
import type { Opened, ProxyOptions } from "../client/proxy-options.js";
import { ProxyStream } from "../client/proxy-stream.js";
import { relayStdio } from "../client/stdio-relay.js";
import { type Endpoint, encodeEndpoint, formatEndpoint, parseHost } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import { addOneProxyFlags, type OneProxyFlags, proxyOptions } from "./flagged-proxy.js";
import { parsePort } from "./host-port.js";
import { tell } from "./output.js";
import { showProgress } from "./progress.js";
import { joinStdio } from "./stdio.js";

interface ConnectFlags extends OneProxyFlags {
  listen: boolean;
  progress: boolean;
}

/** Milliseconds that a transfer may take to end. */
const HANG_UP_GRACE = 5000;

/** `gssocks connect`: standard input and output through a proxy, as ssh's ProxyCommand wants it. */
export function connectCommand(): Command {
  const command = new Command("connect")
    .description("join standard input and output to HOST PORT through a proxy, with your Kerberos ticket")
    .argument("<host>", "the destination; a name is resolved by the proxy", parseDestination)
    .argument("<port>", "its port", parsePort)
    .option(
      "--listen",
      "have the proxy wait for one connection from HOST instead, and say where (BIND)",
      false,
    )
    .option("--progress", "tell on the terminal what was carried, where data comes or goes by a pipe", false);
  return addOneProxyFlags(command).action(async (host: string, port: number, flags: ConnectFlags) => {
    const options = await proxyOptions(flags, command);
    const dst = { host: parseHost(host), port };
    await relay(flags.listen ? await listen(options, dst) : await open(options, dst), flags.progress);
  });
}

function open(options: ProxyOptions, dst: Endpoint): Promise<Opened> {
  return openThrough(options, { cmd: CMD.CONNECT, dst });
}

async function listen(options: ProxyOptions, dst: Endpoint): Promise<Opened> {
  const { bnd, peer } = await bindThrough(options, { dst });
  tell(`listening on ${formatEndpoint(bnd)}\n`);
  return peer;
}

async function relay(opened: Opened, progress: boolean): Promise<void> {
  process.once("SIGHUP", hangUp);
  const native = relayStdio(opened);
  const stream = native === null ? new ProxyStream(opened) : null;
  const shown = progress ? showProgress(() => (native ?? (stream as ProxyStream)).carried) : null;
  try {
    if (native !== null) return await native.done;
    await joined(stream as ProxyStream);
  } finally {
    process.off("SIGHUP", hangUp);
    shown?.end();
  }
}

/**
 * ssh ends its ProxyCommand so, having closed standard input: what it said last is still to be sent, and an end is to be
 * told from a reset in the proxy's audit. A second one, or the time, ends us at once.
 */
function hangUp(): void {
  setTimeout(() => process.kill(process.pid, "SIGHUP"), HANG_UP_GRACE).unref();
}

async function joined(stream: ProxyStream): Promise<void> {
  // A person at a terminal won't end standard input after the destination has ended.
  if (process.stdin.isTTY) stream.once("end", () => process.stdin.destroy());
  await joinStdio(stream);
}

function parseDestination(text: string): string {
  try {
    encodeEndpoint({ host: parseHost(text), port: 0 });
  } catch {
    throw new InvalidArgumentError("expected a host name or an IP address.");
  }
  return text;
}
