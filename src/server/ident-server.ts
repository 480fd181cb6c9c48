/** The Ident server (RFC 1413): tells destinations who is behind a connection of this host. */
import type { Socket } from "node:net";
import type { Observer } from "../observability/events.js";
import { formatEndpoint, parseHost, plainAddress } from "../protocol/address.js";
import { reset } from "../relay/cut-off.js";
import { IdentConnection } from "./ident-connection.js";
import { IdentResolver, type IdentSources } from "./ident-resolver.js";
import { Listener, type TcpListenerAddress } from "./listener.js";
import { LocalPlaces } from "./shared-counts.js";

export interface IdentServerLimits {
  connections: number;
  connectionsPerSource: number;
  /** Milliseconds without a whole query (RFC 1413 §2: 60 to 180 s). */
  idle: number;
}

const LIMITS: IdentServerLimits = { connections: 512, connectionsPerSource: 16, idle: 60_000 };

export interface IdentServerOptions extends IdentSources {
  address: TcpListenerAddress;
}

export class IdentServer {
  readonly #address: TcpListenerAddress;
  readonly #observer: Observer;
  readonly #resolver: IdentResolver;
  readonly #idle: number;
  readonly #limits: typeof LIMITS;
  readonly #places = new LocalPlaces();
  readonly #open = new Set<Socket>();
  #listener: Listener | null = null;

  constructor({ address, ...sources }: IdentServerOptions, observer: Observer, limits = LIMITS) {
    this.#address = address;
    this.#observer = observer;
    this.#resolver = new IdentResolver(sources, observer);
    this.#idle = limits.idle;
    this.#limits = limits;
  }

  /** @throws NetworkError (CANNOT_LISTEN) */
  async start(): Promise<void> {
    this.#listener = await Listener.open(this.#address, (socket) => this.#accept(socket));
    const { port } = this.#listener.bound;
    this.#observer({ type: "listening", address: String(this.#listener), port });
  }

  /** Ends at once: there is nothing that would be lost. */
  stop(): void {
    this.#listener?.close();
    for (const socket of this.#open) socket.destroy();
    this.#observer({ type: "stopped" });
  }

  #accept(socket: Socket): void {
    const { localAddress, remoteAddress, remotePort = 0 } = socket;
    // Gone before we looked.
    if (localAddress === undefined || remoteAddress === undefined) return void socket.destroy();
    const source = plainAddress(remoteAddress);
    const client = formatEndpoint({ host: parseHost(source), port: remotePort });
    const places = [
      { key: "connections", most: this.#limits.connections },
      { key: source, most: this.#limits.connectionsPerSource },
    ];
    if (this.#places.takeNow(places) !== null) {
      const reason = "too many Ident connections are open, in all or from this address";
      this.#observer({
        type: "connection-refused",
        client,
        code: "TOO_MANY_CONNECTIONS",
        reason,
      });
      return reset(socket);
    }
    this.#open.add(socket);
    const connection = new IdentConnection(socket, {
      client,
      addressOnServer: plainAddress(localAddress),
      addressOnClient: source,
      resolver: this.#resolver,
      idle: this.#idle,
      observer: this.#observer,
    });
    void connection.serve().finally(() => {
      this.#open.delete(socket);
      this.#places.release(places.map(({ key }) => key));
    });
  }
}
