/**
 * A destination that is there and does not answer: it listens on a loopback address, accepts nothing, and its backlog
 * is full, so that the kernel drops each further SYN. Nothing leaves the machine.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";

/** Listens and then never comes back to its event loop, until it is told to. */
const LISTENER = `
const { createServer } = require("node:net");
const { parentPort, workerData } = require("node:worker_threads");
const server = createServer({ allowHalfOpen: true }, (socket) => socket.on("error", () => {}).pipe(socket));
const { gate, host, port } = workerData;
server.listen({ port, host, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(gate, 0, 0);
});
`;

export class UnacceptingOrigin {
  readonly port: number;
  readonly #worker: Worker;
  readonly #gate: Int32Array;
  readonly #fillers: Socket[];

  private constructor(port: number, worker: Worker, gate: Int32Array, fillers: Socket[]) {
    this.port = port;
    this.#worker = worker;
    this.#gate = gate;
    this.#fillers = fillers;
  }

  /** @param port 0: one that the system picks */
  static async start(host = "127.0.0.1", port = 0): Promise<UnacceptingOrigin> {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(LISTENER, { eval: true, workerData: { gate, host, port } });
    const [bound] = (await once(worker, "message")) as [number];
    // Linux takes one connection more than the backlog.
    const fillers = [0, 1].map(() => connect({ port: bound, host }).on("error", () => {}));
    await Promise.all(fillers.map((filler) => once(filler, "connect")));
    return new UnacceptingOrigin(bound, worker, gate, fillers);
  }

  /** From now on it accepts and echoes. The kernel repeats a dropped SYN after a second. */
  accept(): void {
    Atomics.store(this.#gate, 0, 1);
    Atomics.notify(this.#gate, 0);
  }

  async stop(): Promise<void> {
    this.accept();
    for (const filler of this.#fillers) filler.destroy();
    await this.#worker.terminate();
  }
}
