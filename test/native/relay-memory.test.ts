/** What the addon's relays take to carry much is given back when they carry nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { MOST_HELD } from "../../src/gss/native.js";
import { NativeRelay } from "../../src/gss/native-relay.js";
import { scratch } from "../support/identd.js";
import { residentMemory, until } from "../support/kernel.js";
import { type SocketPair, socketPair } from "../unit/relay/loopback.js";
import { descriptor, NO_OCTETS } from "./relay-sockets.js";

/** As many as a thread keeps memory for. */
const SESSIONS = 64;

/** Of a Unix socket the kernel keeps little that is not read. */
async function unixPairs(t: TestContext, count: number): Promise<SocketPair[]> {
  const at = path.join(await scratch(t), "socket");
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(at);
  t.after(() => server.close());
  await once(server, "listening");
  const pairs: SocketPair[] = [];
  while (pairs.length < count) {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const theirs = connect({ path: at, allowHalfOpen: true }).pause();
    const [[ours]] = await Promise.all([accepted, once(theirs, "connect")]);
    pairs.push({ ours, theirs });
  }
  return pairs;
}

test("memory is given back", async (t) => {
  const clients = await Promise.all(Array.from({ length: SESSIONS }, () => socketPair(t)));
  const destinations = await unixPairs(t, SESSIONS);
  // Each holds what its destination does not take at once.
  const relays = clients.map((client, at) => {
    const destination = destinations[at] as SocketPair;
    const toDestination = Buffer.alloc(MOST_HELD);
    const relay = NativeRelay.start({
      client: descriptor(client.ours),
      destination: descriptor(destination.ours),
      protection: null,
      ...NO_OCTETS,
      toDestination,
    });
    assert.ok(relay !== null);
    for (const { ours } of [client, destination]) ours.destroy();
    return relay;
  });
  for (const { theirs } of [...clients, ...destinations]) theirs.resume().end();
  await Promise.all(relays.map(({ done }) => done));
  globalThis.gc?.();
  const kept = residentMemory(process.pid);
  await until("it is given back", () => residentMemory(process.pid) < kept - (SESSIONS * MOST_HELD) / 2);
});
