/** Real sockets on 127.0.0.1, and a pump between two pairs of them. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { CLEAR, type MessageProtection } from "../../../src/relay/message-protection.js";
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
  /** The pump's end: paused, with the options that sessions have. */
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
  return { ours, theirs };
}

export interface Scene {
  pump: Pump;
  /** The two peers. */
  client: Socket;
  destination: Socket;
  /** The pump's own ends. */
  inner: { client: Socket; destination: Socket };
}

export interface SceneOptions {
  protection?: MessageProtection;
  idleTimeout?: number;
  totalTimeout?: number;
  rest?: Buffer;
  reply?: Buffer;
  /** What happens before the pump begins. */
  before?: (client: SocketPair, destination: SocketPair) => Promise<void>;
}

export async function scene(test: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const [client, destination] = await Promise.all([socketPair(test), socketPair(test)]);
  await options.before?.(client, destination);
  const inner = { client: client.ours, destination: destination.ours };
  const { protection = CLEAR, idleTimeout = Infinity, totalTimeout = Infinity } = options;
  const { rest = Buffer.alloc(0), reply = Buffer.alloc(0) } = options;
  const pump = new Pump({ ...inner, protection, idleTimeout, totalTimeout, rest, reply });
  return { pump, client: client.theirs, destination: destination.theirs, inner };
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
