/** Both ends of an association, ours and the proxy's, with a real TCP connection that stands for the control connection. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Socket } from "node:net";
import type { TestContext } from "node:test";
import { type HostPort, NOBODY, type ProxySession } from "../../../src/client/proxy-options.js";
import { UdpAssociation } from "../../../src/client/udp-association.js";
import type { Endpoint } from "../../../src/protocol/address.js";
import {
  CLEAR_DATAGRAMS,
  ContextDatagramProtection,
  type DatagramProtection,
} from "../../../src/relay/datagram-protection.js";
import type { UdpAssociation as Relay, UdpAssociationOptions } from "../../../src/relay/udp-associate.js";
import { associate } from "../relay/datagram-peers.js";
import type { Pair } from "../relay/established-contexts.js";
import { socketPair } from "../relay/loopback.js";

export interface Ends {
  association: UdpAssociation;
  relay: Relay;
  /** The proxy's end of the TCP connection. */
  control: Socket;
}

export interface EndsOptions {
  /** Null: in clear. */
  pair?: { contexts: Pair; level: "integrity" | "confidentiality" } | null;
  relay?: Partial<UdpAssociationOptions>;
  /** Where the client is told to send to, in place of the relay's own address. */
  through?: Endpoint;
}

/** As a client without GSS-API has it. */
export function sessionWith(bnd: Endpoint): ProxySession {
  return { ...NOBODY, method: "none", level: "none", bnd };
}

export async function udpEnds(test: TestContext, options: EndsOptions = {}): Promise<Ends> {
  const [theirs, ours]: DatagramProtection[] =
    options.pair == null
      ? [CLEAR_DATAGRAMS, CLEAR_DATAGRAMS]
      : [
          new ContextDatagramProtection(options.pair.contexts.acceptor, options.pair.level),
          new ContextDatagramProtection(options.pair.contexts.initiator, options.pair.level),
        ];
  const relay = await associate(test, { protection: theirs as DatagramProtection, ...options.relay });
  const tcp = await socketPair(test);
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const association = await UdpAssociation.open({
    control: tcp.theirs,
    socket,
    session: sessionWith(options.through ?? relay.bnd),
    protection: ours as DatagramProtection,
  });
  test.after(() => association.close());
  return { association, relay, control: tcp.ours.resume() };
}

/** What comes in, in the order it comes; to be made before anything is sent. */
export class Inbox {
  readonly #messages: string[] = [];
  #wake: () => void = () => {};

  constructor(association: UdpAssociation) {
    association.on("message", (data: Buffer, { host, port }: HostPort) => {
      this.#messages.push(`${host}:${port} > ${data}`);
      this.#wake();
    });
  }

  /** The next `count` messages. */
  async take(count: number): Promise<string[]> {
    while (this.#messages.length < count) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${this.#messages.length} of ${count} messages came`)),
          20_000,
        );
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#messages.splice(0, count);
  }
}
