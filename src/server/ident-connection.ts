/** One connection to the Ident server: query after query, each answered before the next one is looked at. */
import type { Socket } from "node:net";
import { PeerError } from "../errors.js";
import type { Observer } from "../observability/events.js";
import {
  encodeIdentResponse,
  formatPair,
  MAX_IDENT_LINE,
  type PortPair,
  takeIdentQuery,
} from "../protocol/ident-message.js";
import { ReceiveBuffer } from "../protocol/receive-buffer.js";
import type { IdentResolver, Resolved } from "./ident-resolver.js";

/** What one read may bring, behind the beginning of a line. */
const MAX_HELD = 65536 + MAX_IDENT_LINE;

/** Where the query has no ports that an answer could repeat. */
const NO_PORTS: PortPair = { portOnServer: 0, portOnClient: 0 };

export interface IdentConnectionOptions {
  /** The querier's `address:port`. */
  client: string;
  addressOnServer: string;
  addressOnClient: string;
  resolver: IdentResolver;
  /** Milliseconds without a whole query, or for the querier to take an answer. */
  idle: number;
  observer: Observer;
}

export class IdentConnection {
  readonly #socket: Socket;
  readonly #options: IdentConnectionOptions;
  readonly #received = new ReceiveBuffer(MAX_HELD);
  readonly #deadline: NodeJS.Timeout;

  constructor(socket: Socket, options: IdentConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#deadline = setTimeout(() => socket.destroy(), options.idle);
    socket.on("error", () => {});
  }

  /** Resolves when the connection is over. */
  async serve(): Promise<void> {
    try {
      for await (const octets of this.#socket.iterator({ destroyOnReturn: false })) {
        this.#received.append(octets);
        await this.#answerAll();
      }
    } catch (error) {
      if (error instanceof PeerError) {
        await this.#respond(NO_PORTS, { source: null, result: { type: "ERROR", error: "INVALID-PORT" } });
      } else if (!this.#broke(error)) {
        throw error;
      }
    } finally {
      clearTimeout(this.#deadline);
      this.#socket.destroy();
    }
  }

  async #answerAll(): Promise<void> {
    const { resolver, addressOnServer, addressOnClient } = this.#options;
    while (!this.#socket.destroyed) {
      const ports = takeIdentQuery(this.#received);
      if (ports === null) return;
      this.#deadline.refresh();
      await this.#respond(ports, await resolver.resolve({ ...ports, addressOnServer, addressOnClient }));
    }
  }

  async #respond(ports: PortPair, { source, result }: Resolved): Promise<void> {
    const { client, addressOnServer: address, observer } = this.#options;
    const answer = result.type === "ERROR" ? result.error : `${result.opsys} : ${result.userId}`;
    observer({
      type: "ident-answered",
      client,
      address,
      ports: formatPair(ports),
      source,
      answer: `${result.type} : ${answer}`,
    });
    const response = encodeIdentResponse({ ...result, ...ports });
    // Told of the end too, so that a querier that does not read gets no further answer.
    await new Promise<void>((written) => this.#socket.write(response, () => written()));
  }

  #broke(error: unknown): boolean {
    const { code } = error as NodeJS.ErrnoException;
    return error === this.#socket.errored || code === "ERR_STREAM_PREMATURE_CLOSE";
  }
}
