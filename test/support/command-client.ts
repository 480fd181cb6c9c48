/**
 * A client that is let in in any way and asks for any command: on the TCP connection and in datagrams, what it says and
 * hears is sealed where the way has it so.
 */
import assert from "node:assert/strict";
import { type Endpoint, parseHost } from "../../src/protocol/address.js";
import { METHOD, MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { ReceiveBuffer } from "../../src/protocol/receive-buffer.js";
import { type Reply, takeReply } from "../../src/protocol/reply.js";
import { encodeRequest } from "../../src/protocol/request.js";
import { decodeUdpDatagram, encodeUdpHeader, type UdpDatagram } from "../../src/protocol/udp-datagram.js";
import type { Peer } from "../unit/relay/datagram-peers.js";
import { RawClient } from "./raw-client.js";

export const WAYS = ["no authentication", "password", "integrity", "confidentiality"] as const;
export type Way = (typeof WAYS)[number];

/** Whom the proxy's users file has to hold. */
export const CAROL = { name: "carol", password: "carol-password" } as const;

/** Of one write: a token may not be larger, and a longer request is none. */
const LARGEST_MESSAGE = 60_000;

const GSSAPI_HEADER = 4;

export function endpoint(host: string, port: number): Endpoint {
  return { host: parseHost(host), port };
}

export class CommandClient {
  readonly raw: RawClient;
  readonly #level: 1 | 2 | null;
  /** Octets of frames, as `sealedUp` and `sealedDown` of the audit record. */
  readonly sealed = { up: 0, down: 0 };
  #plain: Buffer = Buffer.alloc(0);

  private constructor(raw: RawClient, level: 1 | 2 | null) {
    this.raw = raw;
    this.#level = level;
  }

  /** Up to the request. @param from the client's own address */
  static async ready(
    proxy: { host?: string; port: number },
    way: Way,
    from?: string,
  ): Promise<CommandClient> {
    return CommandClient.over(await RawClient.connect(proxy.port, proxy.host, from), way);
  }

  /** The same, on a connection that is there. */
  static async over(raw: RawClient, way: Way): Promise<CommandClient> {
    if (way === "no authentication") {
      await selectMethod(raw, METHOD.NO_AUTHENTICATION);
    } else if (way === "password") {
      await selectMethod(raw, METHOD.USERNAME_PASSWORD);
      const [name, password] = [Buffer.from(CAROL.name), Buffer.from(CAROL.password)];
      raw.send(0x01, name.length, name, password.length, password);
      assert.equal((await raw.read(2)).toString("hex"), "0100");
    } else {
      const level = way === "integrity" ? 1 : 2;
      await raw.authenticate();
      assert.equal(await raw.negotiate(level), level);
      return new CommandClient(raw, level);
    }
    return new CommandClient(raw, null);
  }

  /** Its address and port, as the audit record has them. */
  get address(): string {
    return this.raw.address;
  }

  async ask(cmd: number, dst: Endpoint): Promise<Reply> {
    this.send(encodeRequest({ cmd, dst }));
    return this.reply();
  }

  /** The next reply; nothing may have come behind it. */
  async reply(): Promise<Reply> {
    const received = new ReceiveBuffer(1000);
    for (;;) {
      received.append(await this.read(1));
      const reply = takeReply(received);
      if (reply !== null) return reply;
    }
  }

  send(plain: Uint8Array): void {
    for (let at = 0; at < plain.length; at += LARGEST_MESSAGE)
      this.raw.send(this.#seal(plain.subarray(at, at + LARGEST_MESSAGE)));
  }

  /** Exactly `count` octets. */
  async read(count: number): Promise<Buffer> {
    if (this.#level === null) return this.raw.read(count);
    while (this.#plain.length < count) {
      const token = await this.raw.message(MTYP.USER_DATA);
      this.#plain = Buffer.concat([this.#plain, this.#open(token)]);
    }
    const octets = this.#plain.subarray(0, count);
    this.#plain = this.#plain.subarray(count);
    return octets;
  }

  /** All that comes until the proxy's end. */
  async readToEnd(): Promise<Buffer> {
    const { octets, how } = await this.raw.farewell();
    assert.equal(how, "end");
    if (this.#level === null) return octets;
    const parts: Buffer[] = [this.#plain];
    for (let at = 0; at < octets.length; ) {
      const end = at + GSSAPI_HEADER + octets.readUInt16BE(at + 2);
      assert.deepEqual([octets[at], octets[at + 1]], [0x01, MTYP.USER_DATA]);
      parts.push(this.#open(octets.subarray(at + GSSAPI_HEADER, end)));
      at = end;
    }
    return Buffer.concat(parts);
  }

  /** A datagram to `dst`, by way of the relay, as it is to be sent. */
  datagram(dst: Endpoint, data: Uint8Array): Buffer {
    return this.#seal(Buffer.concat([encodeUdpHeader(dst), data]));
  }

  /** What came from the relay. */
  openDatagram(datagram: Buffer): UdpDatagram {
    if (this.#level === null) return decodeUdpDatagram(datagram);
    assert.deepEqual(
      [datagram[0], datagram[1], datagram.readUInt16BE(2)],
      [0x01, MTYP.USER_DATA, datagram.length - GSSAPI_HEADER],
    );
    return decodeUdpDatagram(this.#open(datagram.subarray(GSSAPI_HEADER)));
  }

  close(): void {
    this.raw.close();
  }

  #seal(plain: Uint8Array): Buffer {
    if (this.#level === null) return Buffer.from(plain);
    const frame = encodeGssapiMessage(MTYP.USER_DATA, this.raw.context.wrap(plain, this.#level === 2));
    this.sealed.up += frame.length;
    return frame;
  }

  #open(token: Buffer): Buffer {
    const { message, confState, supplementary } = this.raw.context.unwrap(token);
    assert.deepEqual({ confState, supplementary }, { confState: this.#level === 2, supplementary: 0 });
    this.sealed.down += GSSAPI_HEADER + token.length;
    return message;
  }
}

/** A client's UDP socket and the relay it was told of. */
export class Datagrams {
  readonly peer: Peer;
  readonly #client: CommandClient;
  readonly #relay: Endpoint;

  constructor(client: CommandClient, peer: Peer, relay: Endpoint) {
    this.#client = client;
    this.peer = peer;
    this.#relay = relay;
  }

  send(dst: Endpoint, data: Uint8Array): Promise<void> {
    return this.peer.send(this.#client.datagram(dst, data), this.#relay);
  }

  async next(): Promise<UdpDatagram> {
    const { data, from } = await this.peer.next();
    assert.deepEqual(from, this.#relay);
    const datagram = this.#client.openDatagram(data);
    assert.equal(datagram.frag, 0x00);
    return datagram;
  }
}

async function selectMethod(raw: RawClient, method: number): Promise<void> {
  raw.send(0x05, 0x01, method);
  assert.deepEqual([...(await raw.read(2))], [0x05, method]);
}
