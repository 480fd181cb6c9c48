/** A DNS server that never answers, and tells what it was asked. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export class SilentDnsServer {
  readonly #socket: Socket;
  readonly #asked = new Map<string, number>();
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("message", (query) => {
      const name = nameOf(query);
      this.#asked.set(name, (this.#asked.get(name) ?? 0) + 1);
      this.#wake();
    });
  }

  static async start(address: string, port: number): Promise<SilentDnsServer> {
    const socket = createSocket("udp4");
    socket.bind(port, address);
    await once(socket, "listening");
    return new SilentDnsServer(socket);
  }

  /** The names it was asked for, in the order of the first query. */
  get names(): string[] {
    return [...this.#asked.keys()];
  }

  /** Queries for a name: A and AAAA are one each. */
  queries(name: string): number {
    return this.#asked.get(name) ?? 0;
  }

  /** Fulfilled when `count` names, or more, were asked for. */
  async wasAsked(count: number): Promise<void> {
    while (this.#asked.size < count) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  stop(): void {
    this.#socket.close();
  }
}

/** QNAME of the first question (RFC 1035 §4.1.2), behind twelve octets of header. */
function nameOf(query: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; ; ) {
    const length = query.readUInt8(at);
    if (length === 0) return labels.join(".").toLowerCase();
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
}
