/** Real sockets on 127.0.0.1, and a carrier between two pairs of them. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Carrier } from "../../../src/relay/carrier.js";
import { CLEAR, type MessageProtection } from "../../../src/relay/message-protection.js";
import { NativePump } from "../../../src/relay/native-pump.js";
import { Pump } from "../../../src/relay/pump.js";
import { SOCKET_OPTIONS } from "../../../src/relay/socket-options.js";

/** A listener that is closed, with its connections, when the test ends. */
export async function listen(test: TestContext, host = "127.0.0.1", port = 0): Promise<Server> {
  const server = createServer({ ...SOCKET_OPTIONS, pauseOnConnect: true });
  server.on("connection", (socket) => test.after(() => socket.destroy()));
  test.after(() => server.close());
  server.listen(port, host);
  await once(server, "listening");
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

export interface SocketPair {
  /** The carrier's end: paused, with the options that sessions have. */
  ours: Socket;
  /** The peer's end: paused too, until somebody reads it. */
  theirs: Socket;
}

export async function socketPair(test: TestContext): Promise<SocketPair> {
  const server = await listen(test);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const theirs = connect({ port: portOf(server), host: "127.0.0.1", allowHalfOpen: true });
  theirs.pause();
  test.after(() => theirs.destroy());
  const [[ours]] = await Promise.all([accepted, once(theirs, "connect")]);
  server.close();
  return { ours, theirs };
}

export interface Scene {
  pump: Carrier;
  /** The two peers. */
  client: Socket;
  destination: Socket;
  /** The carrier's own ends; those of a NativePump are closed. */
  inner: { client: Socket; destination: Socket };
}

export interface SceneOptions {
  protection?: MessageProtection;
  idleTimeout?: number;
  totalTimeout?: number;
  rest?: Buffer;
  reply?: Buffer;
  /** What happens before the carrier begins. */
  before?: (client: SocketPair, destination: SocketPair) => Promise<void>;
}

export const CARRIERS = ["Pump", "NativePump"] as const;
export type CarrierName = (typeof CARRIERS)[number];

export async function scene(
  test: TestContext,
  carrier: CarrierName,
  options: SceneOptions = {},
): Promise<Scene> {
  const [client, destination] = await Promise.all([socketPair(test), socketPair(test)]);
  await options.before?.(client, destination);
  const inner = { client: client.ours, destination: destination.ours };
  const { protection = CLEAR, idleTimeout = Infinity, totalTimeout = Infinity } = options;
  const { rest = Buffer.alloc(0), reply = Buffer.alloc(0) } = options;
  const all = { ...inner, protection, idleTimeout, totalTimeout, rest, reply };
  const pump = carrier === "Pump" ? new Pump(all) : NativePump.start(all);
  if (pump === null) throw new Error("not for the addon");
  return { pump, client: client.theirs, destination: destination.theirs, inner };
}

export type MakeScene = (options?: SceneOptions) => Promise<Scene>;

/** One test for each carrier, which makes its scenes with it. */
export function testEach(
  name: string,
  body: (t: TestContext, make: MakeScene, carrier: CarrierName) => Promise<void>,
): void {
  for (const carrier of CARRIERS) {
    test(`${carrier}: ${name}`, (t) => body(t, (options) => scene(t, carrier, options), carrier));
  }
}

/** Reads to the end; rejects where the connection breaks instead. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Resolves with the code of the error that breaks the connection, or with "end" where it ends in order. */
export function fate(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once("end", () => resolve("end"));
    socket.resume();
  });
}

/** Waits until the kernel has that TCP state (a number of Linux's) for this end. */
export async function inState(socket: Socket, state: number): Promise<void> {
  const local = `0100007F:${hex(socket.localPort ?? 0, 4)} 0100007F:${hex(socket.remotePort ?? 0, 4)} `;
  while (!(await readFile("/proc/net/tcp", "latin1")).includes(local + hex(state, 2))) await setImmediate();
}

export const CLOSE_WAIT = 8;

function hex(number: number, digits: number): string {
  return number.toString(16).toUpperCase().padStart(digits, "0");
}
