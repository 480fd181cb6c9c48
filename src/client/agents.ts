/**
 * Node's own agents with the connection made through the proxy: pooling, keep-alive, timeouts and TLS stay theirs. A
 * request that is destroyed or aborted while its connection is made gives that up, too; an error of ours is the
 * request's `error`.
 */
import { Agent, type AgentOptions, type ClientRequestArgs } from "node:http";
import { Agent as TlsAgent, type AgentOptions as TlsAgentOptions } from "node:https";
import type { Duplex } from "node:stream";
import { UsageError } from "../errors.js";
import type { ProxyOptions } from "./proxy-options.js";
import { createSocket, type ProxySocket } from "./proxy-socket.js";

/** For `http:`. */
export class HttpAgent extends Agent {
  readonly #proxy: ProxyOptions;

  /** @param options Node's, as `keepAlive` or `maxSockets` */
  constructor(proxy: ProxyOptions, options?: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  /** @internal called by Node */
  override createConnection(options: ClientRequestArgs): Duplex {
    return socketFor(this.#proxy, options);
  }
}

/** For `https:`. TLS is with the destination, inside what goes through the proxy: the proxy sees none of it. */
export class HttpsAgent extends TlsAgent {
  readonly #proxy: ProxyOptions;

  /** @param options Node's: those of connections, and of TLS with the destination, as `ca` or `cert` */
  constructor(proxy: ProxyOptions, options?: TlsAgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  /** @internal called by Node */
  override createConnection(options: ClientRequestArgs): Duplex | null | undefined {
    const socket = socketFor(this.#proxy, options);
    // Node's: with the name to be proved and a session to resume.
    return super.createConnection({ ...options, socket } as ClientRequestArgs);
  }
}

function socketFor(proxy: ProxyOptions, { host, port, socketPath }: ClientRequestArgs): ProxySocket {
  if (socketPath) throw new UsageError("NO_PATH", "a proxy connects to a host and a port, not to a path");
  return createSocket({ ...proxy, destination: { host: host ?? "localhost", port: Number(port) } });
}
