/** `gssocks/undici`: a Dispatcher for fetch, through the proxy. For whoever has undici, which gssocks does not bring along. */
import type { Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { Agent, buildConnector } from "undici";
import type { ProxyOptions } from "./client/proxy-options.js";
import { createSocket } from "./client/proxy-socket.js";

/** TLS with the destination, as `tls.connect` takes it, and what undici's connector takes besides. */
export interface DestinationTls
  extends Omit<ConnectionOptions, "socket" | "host" | "port" | "path" | "timeout"> {
  /** Offer HTTP/2. */
  allowH2?: boolean;
  /** Milliseconds for the TLS handshake. */
  timeout?: number;
  maxCachedSessions?: number;
}

/** What undici's Agent takes; it connects through the proxy. */
export interface DispatcherOptions extends Omit<Agent.Options, "connect" | "factory"> {
  connect?: DestinationTls;
}

/**
 * A Dispatcher of undici's whose connections go through the proxy: `fetch(url, { dispatcher })`, undici's own `request`
 * and `setGlobalDispatcher`. An error of ours is the `cause` of fetch's TypeError.
 */
export function gssocksDispatcher(proxy: ProxyOptions, options: DispatcherOptions = {}): Agent {
  const { connect, ...rest } = options;
  return new Agent({ ...rest, connect: gssocksConnector(proxy, connect) });
}

/** How {@link gssocksDispatcher} connects, for a Pool or a Client of one's own. */
export function gssocksConnector(proxy: ProxyOptions, tls: DestinationTls = {}): buildConnector.connector {
  const secure = buildConnector(tls);
  return (options, callback) => {
    const { hostname, port, protocol } = options;
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const at = { host, port: Number(port) || (protocol === "https:" ? 443 : 80) };
    const socket: Socket = createSocket({ ...proxy, destination: at });
    const failed = (error: Error) => callback(error, null);
    socket.once("error", failed).once("connect", () => {
      socket.off("error", failed);
      if (protocol === "https:") secure({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
  };
}
