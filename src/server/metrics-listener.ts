/**
 * Where Prometheus reads the metrics and a supervisor whether we are alive: HTTP on a port of its own. Nothing protects
 * it but where it listens, and nothing that a client sends there costs more than one answer: one request for each
 * connection, of a few KiB, within seconds.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Observer } from "../observability/events.js";
import { Listener, type TcpListenerAddress } from "./listener.js";

export interface MetricsSources {
  metrics(): Promise<{ contentType: string; body: string }>;
  /** What keeps us from serving; nothing where we do. */
  notReady(): Promise<readonly string[]>;
  /** What keeps us from running as we should. */
  notHealthy(): Promise<readonly string[]>;
}

interface Answer {
  status: number;
  contentType: string;
  body: string;
}

const PLAIN = "text/plain; charset=utf-8";

const CONNECTIONS = 16;

/** Octets of a request's first line and headers; Prometheus sends some 300. */
const HEADER_SIZE = 4096;

/** Milliseconds, for a request to be there. */
const REQUEST = 5_000;

/** For all of a connection, a client that reads slowly included. */
const CONNECTION = 30_000;

export class MetricsListener {
  readonly #server: Server;
  readonly #listener: Listener;

  /** @throws NetworkError (CANNOT_LISTEN) */
  static async open(
    address: TcpListenerAddress,
    sources: MetricsSources,
    observer: Observer,
  ): Promise<MetricsListener> {
    const answers = answersOf(sources);
    const server = createServer(
      {
        maxHeaderSize: HEADER_SIZE,
        headersTimeout: REQUEST,
        requestTimeout: REQUEST,
        connectionsCheckingInterval: 1000,
        keepAlive: false,
      },
      (request, response) => void answer(request, response, answers, observer),
    );
    server.maxConnections = CONNECTIONS;
    server.maxRequestsPerSocket = 1;
    server.on("connection", bounded);
    return new MetricsListener(server, await Listener.openTcp(address, server), observer);
  }

  private constructor(server: Server, listener: Listener, observer: Observer) {
    this.#server = server;
    this.#listener = listener;
    observer({ type: "metrics-listening", address: String(listener), port: listener.bound.port });
  }

  get bound(): Listener["bound"] {
    return this.#listener.bound;
  }

  /** At once: nothing would be lost. */
  close(): void {
    this.#listener.close();
    this.#server.closeAllConnections();
  }
}

function bounded(socket: Socket): void {
  const end = setTimeout(() => socket.destroy(), CONNECTION);
  socket.once("close", () => clearTimeout(end));
}

/** By path. Whoever asks while an answer is being found gets the same one. */
function answersOf(sources: MetricsSources): ReadonlyMap<string, () => Promise<Answer>> {
  return new Map([
    ["/metrics", shared(async () => ({ status: 200, ...(await sources.metrics()) }))],
    ["/healthz", shared(async () => verdict("healthy", await sources.notHealthy()))],
    ["/readyz", shared(async () => verdict("ready", await sources.notReady()))],
  ]);
}

function verdict(well: string, reasons: readonly string[]): Answer {
  const [status, lines] = reasons.length === 0 ? [200, [well]] : [503, reasons];
  return plain(status, lines.join("\n"));
}

function plain(status: number, text: string): Answer {
  return { status, contentType: PLAIN, body: `${text}\n` };
}

function shared<T>(find: () => Promise<T>): () => Promise<T> {
  let finding: Promise<T> | null = null;
  return () => {
    finding ??= find().finally(() => {
      finding = null;
    });
    return finding;
  };
}

async function answer(
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
  answers: ReadonlyMap<string, () => Promise<Answer>>,
  observer: Observer,
): Promise<void> {
  response.setHeader("Connection", "close");
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return send(response, plain(405, "only GET and HEAD"));
  }
  const find = answers.get(url.replace(/\?.*/s, ""));
  if (find === undefined) return send(response, plain(404, `only ${[...answers.keys()].join(", ")}`));
  try {
    send(response, await find());
  } catch (error) {
    observer({ type: "warning", reason: `the metrics can't be told: ${(error as Error).message}` });
    send(response, plain(500, "failed; the log has the reason"));
  }
}

function send(response: ServerResponse, { status, contentType, body }: Answer): void {
  response.writeHead(status, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(body);
}
