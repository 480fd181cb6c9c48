import {
  type AddressInfo,
  createServer,
  type ListenOptions,
  type Server as NetServer,
  type Socket,
} from "node:net";
import { NetworkError } from "../errors.js";
import { native } from "../gss/native.js";
import { formatEndpoint, parseHost } from "../protocol/address.js";
import { SOCKET_OPTIONS } from "../relay/socket-options.js";

export interface ListenerAddress {
  /** An IP address; `::` listens on every address of both families. */
  host: string;
  /** 0 for one that the system picks. */
  port: number;
}

/** A socket that listens already, as {@link Listener.keep} of another process gave it: inherited, or sent. */
export type ListeningSocket = { descriptor: number } | { handle: unknown };

/** One bound address. */
export class Listener {
  /** The address and port it really has. */
  readonly bound: { readonly address: string; readonly port: number };
  readonly #server: NetServer;

  /**
   * @param taker gets the connections, or has a way of its own with them
   * @throws NetworkError (CANNOT_LISTEN)
   */
  static async open(
    address: ListenerAddress,
    taker: ((socket: Socket) => void) | NetServer,
  ): Promise<Listener> {
    const server = typeof taker === "function" ? createServer(SOCKET_OPTIONS, taker) : taker;
    // Where the host has no IPv6, every address is every IPv4 address.
    const hosts = address.host === "::" ? ["::", "0.0.0.0"] : [address.host];
    for (const [index, host] of hosts.entries()) {
      const error = await listen(server, { host, port: address.port });
      if (error === null) return new Listener(server);
      if (error.code !== "EAFNOSUPPORT" || index === hosts.length - 1) throw cannotListen(address, error);
    }
    throw cannotListen(address, new Error("no address"));
  }

  /** One of several processes that accept what comes to the same socket: the first to look has it. */
  static async share(socket: ListeningSocket, onConnection: (socket: Socket) => void): Promise<Listener> {
    const server = createServer(SOCKET_OPTIONS, onConnection);
    const error = await listen(
      server,
      "descriptor" in socket ? { fd: socket.descriptor } : (socket.handle as ListenOptions),
    );
    if (error === null) return new Listener(server);
    const message = `can't listen on a socket of the first process: ${error.message}`;
    throw new NetworkError("CANNOT_LISTEN", message, { cause: error });
  }

  private constructor(server: NetServer) {
    this.#server = server;
    this.bound = server.address() as AddressInfo;
    // Descriptors have run out, or the like: the connection at hand is lost, the listener goes on.
    server.on("error", () => {});
  }

  /** `address:port`, as bound. */
  toString(): string {
    return formatEndpoint({ host: parseHost(this.bound.address), port: this.bound.port });
  }

  /** Nothing is accepted here from now on, but the socket goes on to listen, for other processes and until it is closed. */
  keep(): { descriptor: number } {
    const { _handle } = this.#server as NetServer & { _handle: { fd: number } };
    const descriptor = native.duplicateDescriptor(_handle.fd);
    this.#server.close();
    return { descriptor };
  }

  get open(): boolean {
    return this.#server.listening;
  }

  /** Takes no further connections; those it gave out stay open. */
  close(): void {
    this.#server.close();
  }
}

function listen(
  server: NetServer,
  at: ListenOptions & { fd?: number },
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(error);
    server.once("error", failed);
    server.listen(at, () => {
      server.off("error", failed);
      resolve(null);
    });
  });
}

function cannotListen({ host, port }: ListenerAddress, error: NodeJS.ErrnoException): NetworkError {
  const remedy: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program listens there",
    EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE",
    EADDRNOTAVAIL: "this host has no such address",
  };
  const why = remedy[error.code ?? ""];
  const message = `can't listen on ${host} port ${port}: ${error.code ?? error.message}${why === undefined ? "" : ` (${why})`}`;
  return new NetworkError("CANNOT_LISTEN", message, { cause: error });
}
