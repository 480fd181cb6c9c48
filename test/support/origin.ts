/** Destinations for the tests, on 127.0.0.1 and ports the system picked unless told otherwise. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export class Origin {
  readonly #server: Server;
  /** Sockets it has, in the order they came. */
  readonly sockets: Socket[] = [];
  #given = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param serve gets each socket; both directions end on their own (allowHalfOpen) */
  static async start(serve: (socket: Socket) => void, host = "127.0.0.1", port = 0): Promise<Origin> {
    const server = createServer({ allowHalfOpen: true });
    const origin = new Origin(server);
    server.on("connection", (socket) => {
      origin.sockets.push(socket);
      socket.on("error", () => {});
      serve(socket);
    });
    server.listen(port, host);
    await once(server, "listening");
    return origin;
  }

  /** The next socket that comes, or has come and was not asked for yet. */
  async next(): Promise<Socket> {
    while (this.sockets.length <= this.#given) await once(this.#server, "connection");
    this.#given += 1;
    return this.sockets[this.#given - 1] as Socket;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** Sends back what comes, and ends when the other side has. */
export function echo(socket: Socket): void {
  socket.pipe(socket);
}

/** Reads to the end, then answers with the SHA-256 of it in hex, and ends. */
export function hashSink(socket: Socket): void {
  const hash = createHash("sha256");
  socket.on("data", (octets) => hash.update(octets));
  socket.on("end", () => socket.end(hash.digest("hex")));
}

/** How the other side came to its end: "an end", or the code of the error. To be asked when the socket is new. */
export function ending(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket
      .once("end", () => resolve("an end"))
      .once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}
