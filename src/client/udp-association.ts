/**
 * The caller's end of a UDP association through the proxy (RFC 1928 §7): datagrams go out under a header that names the
 * destination, and come in under one that names where they came from. As with all of UDP, any of them may be lost,
 * doubled or late; those that are no good are dropped and counted.
 *
 * The association lives as long as its TCP connection. Nothing more is said there after the reply: sealed datagrams have
 * used up sequence numbers of the same context, so a sealed message would be taken for one with a gap before it.
 */
import type { Socket as DatagramSocket } from "node:dgram";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { type GssocksError, NetworkError, PeerError, UsageError } from "../errors.js";
import { type Endpoint, parseHost } from "../protocol/address.js";
import { decodeUdpDatagram, encodeUdpHeader, type UdpDatagram } from "../protocol/udp-datagram.js";
import { type DropReason, type Drops, noDrops } from "../relay/datagram-drops.js";
import type { DatagramProtection } from "../relay/datagram-protection.js";
import { sendDatagram } from "../relay/udp-sockets.js";
import { reachable } from "./proxy-channel.js";
import type { HostPort, ProxySession } from "./proxy-options.js";

export interface UdpAssociationOptions {
  /** The TCP connection, after the reply. */
  control: Socket;
  /** Bound to the port that was announced, or to any. Of the family of BND. */
  socket: DatagramSocket;
  /** What was agreed. Datagrams go to its BND, where an unspecified address stands for the proxy's. */
  session: ProxySession;
  protection: DatagramProtection;
}

interface Events {
  message: [data: Buffer, from: HostPort];
  /** Why it ended; null where the caller ended it. */
  close: [error: GssocksError | null];
}

export class UdpAssociation extends EventEmitter<Events> {
  /** Who the two ends are, and the protection level. */
  readonly session: ProxySession;
  readonly dropped: Drops = noDrops();
  /** Octets of datagrams, without their headers. */
  readonly carried = { up: 0, down: 0 };
  readonly #control: Socket;
  readonly #socket: DatagramSocket;
  readonly #protection: DatagramProtection;
  #closed = false;

  private constructor({ control, socket, session, protection }: UdpAssociationOptions) {
    super();
    this.session = session;
    this.#control = control;
    this.#socket = socket;
    this.#protection = protection;
    // Connected, the kernel lets through what comes from the relay and nothing else.
    socket.on("message", (datagram) => this.#received(datagram)).on("error", () => {});
    control
      .on("data", () =>
        this.#end(new PeerError("UNEXPECTED_MESSAGE", "the proxy sent data behind its reply")),
      )
      .on("error", (error) => this.#end(lost(error)))
      .on("end", () => this.#end(lost()))
      .on("close", () => this.#end(lost()))
      .resume();
  }

  /**
   * The control connection, the socket and all that the association holds are closed when it ends; the caller of this
   * closes the security context then.
   * @throws PeerError (BAD_BND), NetworkError (PROXY_UNREACHABLE, CONNECTION_LOST)
   */
  static async open(options: UdpAssociationOptions): Promise<UdpAssociation> {
    const { control, socket, session } = options;
    const address = relayAddress(session.bnd, control);
    await new Promise<void>((done, fail) => {
      socket.once("error", fail).once("connect", () => {
        socket.off("error", fail);
        done();
      });
      socket.connect(session.bnd.port, address);
    }).catch((error: NodeJS.ErrnoException) => {
      const message = `the proxy's UDP relay ${address} port ${session.bnd.port} can't be reached: ${error.code}`;
      throw new NetworkError("PROXY_UNREACHABLE", message, { cause: error });
    });
    if (control.destroyed || control.readableEnded) throw lost();
    return new UdpAssociation(options);
  }

  /** @throws UsageError (TOO_LARGE, BAD_DOMAIN_NAME, BAD_PORT, CLOSED) */
  send(data: Uint8Array, destination: HostPort): void {
    if (this.#closed) throw new UsageError("CLOSED", "the association has ended");
    const header = encodeUdpHeader({ host: parseHost(destination.host), port: destination.port });
    const sealed = this.#protection.seal(Buffer.concat([header, data]));
    if (sealed === "too-large") {
      throw new UsageError("TOO_LARGE", `${data.length} octets do not fit into one sealed datagram`);
    }
    if (typeof sealed === "string") return this.#drop(sealed);
    sendDatagram(this.#socket, sealed, null, (reason) => {
      if (reason === null) this.carried.up += data.length;
      else this.#drop(reason);
    });
  }

  /** Ends the association, and with it the TCP connection. Idempotent. */
  close(): void {
    this.#end(null);
  }

  /** @internal {@link close}, and why */
  abort(error: GssocksError): void {
    this.#end(error);
  }

  #received(datagram: Buffer): void {
    const plain = this.#protection.open(datagram);
    if (typeof plain === "string") return this.#drop(plain);
    let decoded: UdpDatagram;
    try {
      decoded = decodeUdpDatagram(plain);
    } catch (error) {
      if (error instanceof PeerError) return this.#drop("malformed");
      throw error;
    }
    if (decoded.frag !== 0x00) return this.#drop("fragment");
    const { host, port } = decoded.dst;
    this.carried.down += decoded.data.length;
    this.emit("message", decoded.data, { host: host.kind === "domain" ? host.name : host.address, port });
  }

  #drop(reason: DropReason): void {
    this.dropped[reason] += 1;
  }

  #end(error: GssocksError | null): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#control.destroy();
    this.emit("close", error);
  }
}

function relayAddress(relay: Endpoint, control: Socket): string {
  const { host, port } = reachable(relay, control);
  if (host.kind === "domain" || port === 0)
    throw new PeerError("BAD_BND", "the proxy named no address and port to send datagrams to");
  return host.address;
}

function lost(error?: NodeJS.ErrnoException): NetworkError {
  const how = error === undefined ? "ended" : `broke: ${error.code ?? error.message}`;
  return new NetworkError("CONNECTION_LOST", `the connection to the proxy ${how}`, { cause: error });
}
