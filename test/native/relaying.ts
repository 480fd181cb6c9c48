/**
 * A child process with relays of the addon: prints its port and joins each two connections to it, the client's and then
 * the destination's, sealed. Argument: how it ends, when a line comes in on standard input. `exit`: process.exit;
 * `return`: nothing keeps it but the relays; `worker`: the relays are a worker's, which is terminated.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { isMainThread, Worker } from "node:worker_threads";
import { NativeRelay } from "../../src/gss/native-relay.js";
import { descriptor, establishHere, NO_OCTETS } from "./relay-sockets.js";

const ending = process.argv[2];

function serve(): Server {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  let waiting: Socket | null = null;
  server.on("connection", (socket) => {
    if (waiting === null) waiting = socket;
    else {
      void relay(waiting, socket);
      waiting = null;
    }
  });
  return server.listen(0, "127.0.0.1", () => console.log(`port ${(server.address() as AddressInfo).port}`));
}

async function relay(client: Socket, destination: Socket): Promise<void> {
  const { acceptor: context } = await establishHere();
  const started = NativeRelay.start({
    client: descriptor(client),
    destination: descriptor(destination),
    protection: { context, conf: true, confRequired: true },
    ...NO_OCTETS,
    toClient: Buffer.from("ready"),
  });
  client.destroy();
  destination.destroy();
  console.log(`relay: ${(await started?.done)?.end}`);
}

const worker =
  isMainThread && ending === "worker" ? new Worker(new URL(import.meta.url), { argv: [ending] }) : null;
const server = worker === null ? serve() : null;
if (isMainThread) {
  process.on("beforeExit", () => console.log("nothing left to do"));
  process.stdin.once("data", async () => {
    process.stdin.destroy();
    server?.close();
    console.log("ending");
    if (ending === "exit") process.exit(7);
    if (worker !== null) console.log(`terminated: ${await worker.terminate()}`);
  });
}
