/** A TCP connection that breaks where a test wants it to: it carries so many octets, and then both its ends are cut. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { cutOff } from "../../src/relay/cut-off.js";

export interface Break {
  /** `reset`: as a machine that has lost its memory. `end`: as a program that has ended. */
  how: "reset" | "end";
  /** Octets, of both directions together. */
  after: number;
}

/** Takes one connection and joins it to another. */
export class BreakingWire {
  readonly #server: Server;
  readonly #sockets: Socket[] = [];
  readonly #break: Break;
  #carried = 0;
  #broken = false;

  private constructor(server: Server, breaks: Break) {
    this.#server = server;
    this.#break = breaks;
  }

  /** @param to where it leads @param host where it listens */
  static async start(
    to: { host: string; port: number },
    breaks: Break,
    host = "127.0.0.1",
  ): Promise<BreakingWire> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const wire = new BreakingWire(server, breaks);
    server.on("connection", (near) => {
      server.close();
      const far = connect({ ...to, allowHalfOpen: true, noDelay: true });
      wire.#carry(near, far);
      wire.#carry(far, near);
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get broken(): boolean {
    return this.#broken;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.push(from);
    from
      .on("data", (octets) => {
        if (this.#broken) return;
        const room = this.#break.after - this.#carried;
        this.#carried += octets.length;
        if (!to.write(octets.subarray(0, room))) from.pause();
        if (octets.length >= room) this.#cut();
      })
      .on("end", () => to.end())
      // Where one side breaks by itself, the other learns of it.
      .on("error", () => cutOff(to));
    to.on("drain", () => from.resume());
  }

  #cut(): void {
    this.#broken = true;
    for (const socket of this.#sockets) {
      if (this.#break.how === "reset") cutOff(socket);
      // The end goes first: destroyed with octets unread, a socket would send a reset in its place.
      else socket.resume().end(() => socket.destroy());
    }
  }
}
