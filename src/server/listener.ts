import { closeSync, renameSync, unlinkSync } from "node:fs";
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
import {
  type ListenerAddress,
  listenerAddressText,
  type TcpListenerAddress,
} from "../protocol/listener-address.js";
import { SOCKET_OPTIONS } from "../relay/socket-options.js";
import { listenUnix } from "./unix-socket.js";

export type { ListenerAddress, TcpListenerAddress } from "../protocol/listener-address.js";

/** A socket that listens already, as {@link Listener.keep} of another process gave it: inherited, or sent. */
export interface ListeningSocket {
  readonly descriptor: number;
}

/** One bound address. */
export class Listener {
  /** The address and port it really has; of a Unix socket the text that stands for it, and no port. */
  readonly bound: { readonly address: string; readonly port: number | null };
  readonly #server: NetServer;
  readonly #at: ListenerAddress;

  /**
   * @param taker gets the connections
   * @throws NetworkError (CANNOT_LISTEN)
   */
  static async open(at: ListenerAddress, taker: (socket: Socket) => void): Promise<Listener> {
    if ("host" in at) return Listener.openTcp(at, createServer(SOCKET_OPTIONS, taker));
    if ("unix" in at)
      return new Listener((await listenUnix(at.unix, SOCKET_OPTIONS)).on("connection", taker), at);
    const { systemd, descriptor } = at;
    if (descriptor === undefined) {
      const message = `systemd has passed no socket that is named ${systemd}`;
      throw new NetworkError("CANNOT_LISTEN", message);
    }
    // It stays, for when this one is closed and opened again.
    return Listener.share({ descriptor: native.duplicateDescriptor(descriptor) }, taker, at);
  }

  /**
   * @param server has a way of its own with the connections
   * @throws NetworkError (CANNOT_LISTEN)
   */
  static async openTcp(address: TcpListenerAddress, server: NetServer): Promise<Listener> {
    // Where the host has no IPv6, every address is every IPv4 address.
    const hosts = address.host === "::" ? ["::", "0.0.0.0"] : [address.host];
    for (const [index, host] of hosts.entries()) {
      const error = await listen(server, { host, port: address.port });
      if (error === null) return new Listener(server, address);
      if (error.code !== "EAFNOSUPPORT" || index === hosts.length - 1) throw cannotListen(address, error);
    }
    throw cannotListen(address, new Error("no address"));
  }

  /** One of several processes that accept what comes to the same socket: the first to look has it. */
  static async share(
    socket: ListeningSocket,
    onConnection: (socket: Socket) => void,
    at: ListenerAddress,
  ): Promise<Listener> {
    const server = createServer(SOCKET_OPTIONS, onConnection);
    const error = await listen(server, { fd: socket.descriptor });
    if (error === null) return new Listener(server, at);
    const message = `can't listen on a socket that another process opened: ${error.message}`;
    throw new NetworkError("CANNOT_LISTEN", message, { cause: error });
  }

  private constructor(server: NetServer, at: ListenerAddress) {
    this.#server = server;
    this.#at = at;
    const address = server.address() as AddressInfo | string | null;
    this.bound =
      typeof address === "object" && address !== null
        ? address
        : { address: listenerAddressText(at), port: null };
    // Descriptors have run out, or the like: the connection at hand is lost, the listener goes on.
    server.on("error", () => {});
  }

  /** `address:port`, as bound, or the text of a Unix socket. */
  toString(): string {
    const { address, port } = this.bound;
    return port === null ? address : formatEndpoint({ host: parseHost(address), port });
  }

  /**
   * Nothing is accepted here from now on, but the socket goes on to listen, for other processes and until it is closed.
   * @returns `close` takes a Unix socket away from the file system too
   */
  keep(): { descriptor: number; close: () => void } {
    const { _handle } = this.#server as NetServer & { _handle: { fd: number } };
    const descriptor = native.duplicateDescriptor(_handle.fd);
    const path = "unix" in this.#at ? this.#at.unix : null;
    // libuv takes away what has the name that it gave.
    if (path !== null) renameSync(path, `${path}.kept`);
    this.#server.close();
    if (path !== null) renameSync(`${path}.kept`, path);
    return {
      descriptor,
      close: () => {
        closeSync(descriptor);
        if (path !== null) unlink(path);
      },
    };
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

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Somebody has done so already.
  }
}

function cannotListen({ host, port }: TcpListenerAddress, error: NodeJS.ErrnoException): NetworkError {
  const remedy: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program listens there",
    EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE",
    EADDRNOTAVAIL: "this host has no such address",
  };
  const why = remedy[error.code ?? ""];
  const message = `can't listen on ${host} port ${port}: ${error.code ?? error.message}${why === undefined ? "" : ` (${why})`}`;
  return new NetworkError("CANNOT_LISTEN", message, { cause: error });
}
