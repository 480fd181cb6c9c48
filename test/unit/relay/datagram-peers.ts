/** Real UDP sockets on loopback that keep what they get, and a client that speaks RFC 1928 §7 through them. */
import assert from "node:assert/strict";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { type Endpoint, formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import { decodeUdpDatagram, encodeUdpHeader } from "../../../src/protocol/udp-datagram.js";
import { CLEAR_DATAGRAMS, type DatagramProtection } from "../../../src/relay/datagram-protection.js";
import { UdpAssociation, type UdpAssociationOptions } from "../../../src/relay/udp-associate.js";

/** Long enough for a busy machine; a datagram that does not come fails the test. */
const PATIENCE = 20_000;

export function endpoint(host: string, port: number): Endpoint {
  return { host: parseHost(host), port };
}

/** A socket and its queue. */
export class Peer {
  readonly socket: Socket;
  readonly #queue: { data: Buffer; from: RemoteInfo }[] = [];
  #wake: () => void = () => {};
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("message", (data, from) => {
      this.#queue.push({ data, from });
      this.#wake();
    });
  }

  /** Closed when the test ends. */
  static async bind(test: TestContext, host = "127.0.0.1", port = 0): Promise<Peer> {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    const peer = new Peer(socket);
    test.after(() => peer.close());
    socket.bind(port, host);
    await once(socket, "listening");
    return peer;
  }

  /** Idempotent; resolves when the port is free. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.close();
    await once(this.socket, "close");
  }

  get endpoint(): Endpoint {
    const { address, port } = this.socket.address();
    return endpoint(address, port);
  }

  /** Resolves when the kernel has it: on loopback it is then in the receiver's queue, before all that is sent later. */
  async send(data: Buffer, to: Endpoint): Promise<void> {
    assert.ok(to.host.kind !== "domain");
    const { address } = to.host;
    await new Promise<void>((done, fail) =>
      this.socket.send(data, to.port, address, (error) => (error === null ? done() : fail(error))),
    );
  }

  async next(): Promise<{ data: Buffer; from: Endpoint }> {
    while (this.#queue.length === 0) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no datagram came")), PATIENCE);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const { data, from } = this.#queue.shift() as { data: Buffer; from: RemoteInfo };
    return { data, from: endpoint(from.address, from.port) };
  }

  /** What has come and was not looked at. */
  get unread(): number {
    return this.#queue.length;
  }
}

export class Client {
  readonly peer: Peer;
  readonly #relay: Endpoint;
  readonly #protection: DatagramProtection;

  constructor(peer: Peer, relay: Endpoint, protection: DatagramProtection = CLEAR_DATAGRAMS) {
    this.peer = peer;
    this.#relay = relay;
    this.#protection = protection;
  }

  async send(dst: Endpoint, text: string): Promise<void> {
    await this.sendPlain(Buffer.concat([encodeUdpHeader(dst), Buffer.from(text)]));
  }

  /** Header included. */
  async sendPlain(plain: Buffer): Promise<void> {
    const sealed = this.#protection.seal(plain);
    assert.ok(Buffer.isBuffer(sealed), String(sealed));
    await this.peer.send(sealed, this.#relay);
  }

  /** `host:port > data` */
  async next(): Promise<string> {
    const { data, from } = await this.peer.next();
    assert.deepEqual(from, this.#relay);
    const plain = this.#protection.open(data);
    assert.ok(Buffer.isBuffer(plain), String(plain));
    const decoded = decodeUdpDatagram(plain);
    assert.equal(decoded.frag, 0);
    return `${formatEndpoint(decoded.dst)} > ${decoded.data}`;
  }
}

/** Answers as an address of its own would: any address is allowed, a name is no name of ours. */
export async function allowAll({ host }: Endpoint): Promise<string[]> {
  assert.ok(host.kind !== "domain");
  return [host.address];
}

/** An association on 127.0.0.1, in clear and without narrow limits unless told; closed when the test ends. */
export async function associate(
  test: TestContext,
  options: Partial<UdpAssociationOptions> = {},
): Promise<UdpAssociation> {
  const association = await UdpAssociation.open({
    address: "127.0.0.1",
    ports: null,
    client: { address: "127.0.0.1", announced: endpoint("0.0.0.0", 0) },
    protection: CLEAR_DATAGRAMS,
    authorize: allowAll,
    openUpstream: () => assert.fail("there is no upstream"),
    limits: { destinations: 100, datagramsPerSecond: 100_000 },
    ...options,
  });
  test.after(() => association.close());
  return association;
}

/** The counters that are not 0. */
export function drops(association: { dropped: Readonly<Record<string, number>> }): Record<string, number> {
  return Object.fromEntries(Object.entries(association.dropped).filter(([, count]) => count > 0));
}
