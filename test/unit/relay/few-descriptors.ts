/**
 * A child process that runs out of descriptors, before its first relay and behind it. Prints what carried each session:
 * the addon, or Node instead.
 */
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { carry } from "../../../src/relay/carrier.js";
import { CLEAR } from "../../../src/relay/message-protection.js";
import { SOCKET_OPTIONS } from "../../../src/relay/socket-options.js";

const NOTHING = Buffer.alloc(0);

async function pair(): Promise<[ours: Socket, theirs: Socket]> {
  const server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const theirs = connect({
    port: (server.address() as AddressInfo).port,
    host: "127.0.0.1",
    allowHalfOpen: true,
  });
  const [ours] = await accepted;
  server.close();
  return [ours, theirs];
}

/** Every descriptor there is. */
function exhaust(): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync("/dev/null", "r"));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EMFILE") return taken;
      throw error;
    }
  }
}

async function session(left: number): Promise<void> {
  const [[client, user], [destination, service]] = [await pair(), await pair()];
  const taken = exhaust();
  for (const fd of taken.splice(0, left)) closeSync(fd);
  const carrier = carry({
    client,
    destination,
    protection: CLEAR,
    reply: NOTHING,
    rest: NOTHING,
    idleTimeout: Infinity,
    totalTimeout: Infinity,
  });
  user.end("question");
  service.end("answer");
  const [[up], [down]] = await Promise.all([once(service, "data"), once(user, "data")]);
  const error = await carrier.done;
  for (const fd of taken) closeSync(fd);
  user.destroy();
  service.destroy();
  console.log(`${carrier.constructor.name}: ${up}, ${down}, ${error}`);
}

// Without the threads; with them, but without a descriptor, or with one only; with what there is.
for (const left of [0, 1, 3, Infinity, 0, 1, Infinity]) await session(left);
