/** The connection to the proxy itself, before anything is said there. */
import type { Socket } from "node:net";
import { NetworkError } from "../errors.js";
import { importService, Name } from "../gss/name.js";
import { type Endpoint, parseHost } from "../protocol/address.js";
import { dial } from "../relay/dialer.js";
import { Resolver } from "../relay/resolver.js";
import type { HostPort, ProxyOptions } from "./proxy-options.js";
import { type ProxyChannel, secure } from "./proxy-tls.js";

/** For all of the process: programs open many connections through one proxy at once. */
const resolver = new Resolver();

/**
 * Connects to the proxy, by TLS where the options say so.
 * @param left milliseconds that are left
 * @throws NetworkError (PROXY_UNREACHABLE, TLS_FAILED), PolicyError (PIN_MISMATCH, NO_CHANNEL_BINDINGS)
 */
export async function openChannel(options: ProxyOptions, left: () => number): Promise<ProxyChannel> {
  return secured(await reach(options.proxy, left, options.signal), options, left());
}

async function reach(
  { host, port }: HostPort,
  left: () => number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  try {
    const address = parseHost(host);
    const addresses =
      address.kind === "domain"
        ? await resolver.resolve(address.name, "this process", { timeout: left(), signal })
        : [address.address];
    const timeout = left();
    const { socket } = await dial(addresses, port, signal === undefined ? { timeout } : { timeout, signal });
    return socket;
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error;
    throw new NetworkError(
      "PROXY_UNREACHABLE",
      `the proxy ${host} port ${port} can't be reached: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

async function secured(
  socket: Socket,
  { proxy, tls, signal }: ProxyOptions,
  timeout: number,
): Promise<ProxyChannel> {
  if (tls === undefined) return { socket, bindings: undefined };
  const late = AbortSignal.timeout(Math.ceil(timeout));
  return secure(socket, proxy.host, tls, signal === undefined ? late : AbortSignal.any([signal, late]));
}

/**
 * The proxy's name as an acceptor.
 * @param fallback the service where the options name none
 */
export function targetOf({ targetName, service, proxy }: ProxyOptions, fallback: string): Name {
  if (targetName === undefined) return Name.import(`${service ?? fallback}@${proxy.host}`, "hostbased");
  return importService(targetName);
}

/** Where the proxy listens for us: some proxies say 0.0.0.0 and mean the address that they were reached at. */
export function reachable(bnd: Endpoint, { remoteAddress }: Socket): Endpoint {
  const { host, port } = bnd;
  const unspecified = host.kind !== "domain" && (host.address === "0.0.0.0" || host.address === "::");
  return unspecified && remoteAddress !== undefined ? { host: parseHost(remoteAddress), port } : bnd;
}

export function timedOut({ host, port }: HostPort): NetworkError {
  return new NetworkError("TIMEOUT", `the proxy ${host} port ${port} did not open the destination in time`);
}

export function abandoned(): NetworkError {
  return new NetworkError("ABORTED", "given up by the caller");
}

export function lostProxy({ host, port }: HostPort, error: NodeJS.ErrnoException): NetworkError {
  const message = `the connection to the proxy ${host} port ${port} broke: ${error.code ?? error.message}`;
  return new NetworkError("CONNECTION_LOST", message, { cause: error });
}
