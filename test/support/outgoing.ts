/** What a serving process has of Ident: the connections it made for its users, and the Unix socket. */
import { once } from "node:events";
import { connect } from "node:net";
import path from "node:path";
import type { TestContext } from "node:test";
import { IdentdSocket } from "../../src/server/identd-socket.js";
import { OutgoingConnections, type Owner, type TcpAddress } from "../../src/server/outgoing.js";
import { scratch } from "./identd.js";
import { Origin } from "./origin.js";

export interface MadeConnection {
  local: TcpAddress;
  remote: TcpAddress;
  /** As the session does at its end. */
  remove(): void;
}

export class Proxying {
  /** The Unix socket's path. Nobody listens there before `open`. */
  readonly socket: string;
  readonly outgoing = new OutgoingConnections();
  readonly #test: TestContext;

  private constructor(test: TestContext, socket: string) {
    this.#test = test;
    this.socket = socket;
  }

  static async prepare(test: TestContext): Promise<Proxying> {
    return new Proxying(test, path.join(await scratch(test), "identd.sock"));
  }

  async open(answer: "user" | "token" = "user"): Promise<this> {
    const opened = await IdentdSocket.open({ socket: this.socket, answer }, async (local, remote) =>
      this.outgoing.find(local, remote),
    );
    this.#test.after(() => opened.close());
    return this;
  }

  /** A real connection within this host, on behalf of `owner`. */
  async connect(owner: Owner, [from, to]: readonly [string, string]): Promise<MadeConnection> {
    const origin = await Origin.start((socket) => socket.resume(), to);
    const socket = connect({ host: to, port: origin.port, localAddress: from });
    this.#test.after(async () => {
      socket.destroy();
      await origin.stop();
    });
    await once(socket, "connect");
    const local = { address: socket.localAddress ?? "", port: socket.localPort ?? 0 };
    const remote = { address: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    return { local, remote, remove: this.outgoing.add(local, remote, owner) };
  }
}
