/** A Unix datagram socket that a program other than ours reads (Node has none): what a syslog daemon or the journal gets. */
import { until } from "./kernel.js";
import { type Running, type StartOptions, start } from "./processes.js";

/** Prints each datagram in hex; reads none before it is told to by a line on standard input. */
const RECEIVER = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind("\\0" + sys.argv[1][1:] if sys.argv[1].startswith("@") else sys.argv[1])
print("bound", flush=True)
sys.stdin.readline()
while True:
    print(receiver.recv(1 << 20).hex(), flush=True)
`;

export class UnixReceiver {
  readonly #process: Running;

  private constructor(process: Running) {
    this.#process = process;
  }

  /** Bound, when this is fulfilled. @param path `@` at its beginning makes it an abstract name */
  static async bind(test: StartOptions["test"], path: string): Promise<UnixReceiver> {
    const child = await start("/usr/bin/python3", ["-c", RECEIVER, path], test === undefined ? {} : { test });
    await child.waitForLine(/^bound$/);
    return new UnixReceiver(child);
  }

  read(): void {
    this.#process.stdin.write("\n");
  }

  /** When there are so many. */
  async datagrams(count: number): Promise<Buffer[]> {
    const lines = () => this.#process.stdout().split("\n").slice(1, -1);
    await until(`${count} datagrams have come`, () => lines().length >= count);
    return lines().map((line) => Buffer.from(line, "hex"));
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
