/**
 * One request that an HTTP client wants to have passed on, and the origin's response to it (RFC 9112 §3.2.2): on a connection
 * to the origin of its own. Both messages are parsed and written anew by Node, so that whoever reads them next takes them for
 * as long as we do; a message that ends too early on one side does not seem whole on the other.
 */
import {
  type ClientRequest,
  type IncomingMessage,
  type InformationEvent,
  type ServerResponse,
  request as send,
} from "node:http";
import type { Socket } from "node:net";
import { GssocksError, NetworkError } from "../errors.js";
import { endToEnd, takesTrailers, trailers, via } from "../protocol/http-fields.js";
import type { AbsoluteTarget } from "../protocol/http-target.js";
import type { Carried, Carrier, CarrierOptions } from "../relay/carrier.js";
import { brokenBy, brokenEnd, reset } from "../relay/cut-off.js";
import { Deadlines } from "../relay/deadlines.js";
import { flow } from "../relay/flow.js";
import { ProtectedStream } from "../relay/protected-stream.js";
import { clientLost } from "./client-lost.js";
import { endSoon } from "./farewell.js";
import { interim } from "./http-answer.js";
import { MAX_HEAD } from "./http-parser.js";
import { asError } from "./internal-error.js";
import type { Through } from "./upstream.js";

export interface ExchangeOptions
  extends Pick<CarrierOptions, "idleTimeout" | "totalTimeout" | "upRates" | "downRates"> {
  request: IncomingMessage;
  response: ServerResponse;
  target: AbsoluteTarget;
  /** To the origin. */
  destination: Socket;
  /** What lies between us and the origin, where that is an upstream. */
  through: Through | null;
  /** For the client, beside the origin's. */
  fields: readonly string[];
}

export class HttpExchange implements Carrier {
  readonly done: Promise<GssocksError | null>;
  readonly #options: ExchangeOptions;
  readonly #deadlines: Deadlines;
  #active = performance.now();
  #finish: (error: GssocksError | null) => void = () => {};
  readonly #origin: Socket | ProtectedStream;
  #finished = false;
  #answered = false;
  /** Octets of responses before the last one. */
  #interim = 0;
  /** It is told where the response ends. */
  #framed = true;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const idleFor = () => performance.now() - this.#active;
    this.#deadlines = new Deadlines(options, idleFor, (error) => this.abort(error));
    const { request, response, destination, through } = options;
    this.#origin =
      through === null ? destination : new ProtectedStream(destination, through.protection, through.early);
    this.#origin.on("error", (error) => this.#broken(error));
    // Only now can it be told from an end.
    destination.once("end", () => {
      const broken = brokenEnd(destination);
      if (broken !== null) this.#broken(Object.assign(new Error(broken), { code: broken }));
    });
    request.on("error", (error) => this.abort(clientLost(error)));
    response
      .on("error", (error) => this.abort(clientLost(error)))
      .on("finish", () => this.#end(null))
      .on("close", () => this.abort(clientLost(new Error("it closed before the response was out"))));
    try {
      this.#ask();
    } catch (error) {
      this.abort(asError(error));
    }
  }

  /** On the connection to the origin, heads and all. */
  get carried(): Carried {
    const { bytesWritten, bytesRead } = this.#origin;
    return { up: bytesWritten, down: bytesRead };
  }

  /** The client is cut off where it has a part of the response already; where it has none, it can be told. */
  abort(reason: GssocksError): void {
    this.#end(reason);
  }

  #end(error: GssocksError | null): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#deadlines.stop();
    const { destination, request, response } = this.#options;
    // What is left of a body that nobody wants.
    request.resume();
    // An origin that has answered need not have read all that it was sent, and never may.
    if (error === null) endSoon(this.#origin);
    else {
      reset(destination);
      this.#origin.destroy();
    }
    if (error !== null && response.headersSent) reset(response.req.socket);
    this.#finish(error);
  }

  #ask(): void {
    const { request, target, upRates = [] } = this.#options;
    const { "content-length": length, "transfer-encoding": coding } = request.headers;
    const fields = [
      "Host",
      target.host,
      ...endToEnd(request.rawHeaders, ["host"]),
      ...via(request.httpVersion),
    ];
    // One exchange for one connection.
    if (takesTrailers(request.rawHeaders)) fields.push("TE", "trailers", "Connection", "close, TE");
    else fields.push("Connection", "close");
    if (coding !== undefined) fields.push("Transfer-Encoding", "chunked");
    else if (length !== undefined) fields.push("Content-Length", length);
    const asked = send({
      createConnection: () => this.#origin as Socket,
      method: request.method ?? "GET",
      path: target.path,
      headers: fields,
      maxHeaderSize: MAX_HEAD,
    });
    asked
      .on("response", (answer) => this.#attempt(() => this.#answer(answer)))
      .on("information", (answer) => this.#attempt(() => this.#inform(answer)))
      .on("upgrade", () => this.abort(badResponse("it changes to a protocol that nobody asked for")))
      // Where it has answered, it may stop listening: the response's own end tells whether it is whole.
      .on("error", (error) => this.#answered || this.abort(unanswered(error)));
    this.#origin.resume();
    this.#send(asked, upRates, coding !== undefined || length !== undefined);
  }

  #send(asked: ClientRequest, rates: NonNullable<CarrierOptions["upRates"]>, body: boolean): void {
    const { request } = this.#options;
    if (!body) return void asked.end();
    // The head goes first, for a body may wait for what the origin says to that (RFC 9110 §10.1.1).
    asked.flushHeaders();
    flow(request, asked, rates, this.#carried);
    request.on("end", () => {
      // As lengths are, nothing but chunks can have them: Node leaves them out elsewhere.
      asked.addTrailers(trailers(request.rawTrailers));
      asked.end();
    });
  }

  /** 100, 102, 103: RFC 9110 §15.2 has proxies pass them on, but to clients of HTTP/1.0. */
  #inform({ statusCode, statusMessage, rawHeaders, httpVersion }: InformationEvent): void {
    const { request, response } = this.#options;
    this.#carried();
    if (this.#answered || request.httpVersion === "1.0") return;
    const head = interim(statusCode, statusMessage, [...endToEnd(rawHeaders), ...via(httpVersion)]);
    // Nobody waits until the client has read them.
    this.#interim += head.length;
    if (this.#interim > MAX_HEAD) throw badResponse("too much comes before it (1xx)");
    response.socket?.write(head);
  }

  #answer(answer: IncomingMessage): void {
    this.#answered = true;
    this.#carried();
    const { request, response, fields, downRates = [] } = this.#options;
    const { statusCode = 0, statusMessage = "" } = answer;
    const { "content-length": length, "transfer-encoding": coding } = answer.headers;
    if (coding !== undefined && coding.toLowerCase() !== "chunked")
      throw badResponse("its transfer coding is not chunked alone");
    // That is for proxies to say: a client would show its credentials to whom it does not mean to.
    if (statusCode === 407) throw badResponse("it answers as if it were a proxy (407)");
    const all = [...endToEnd(answer.rawHeaders), ...via(answer.httpVersion), ...fields];
    if (coding === undefined && length !== undefined) all.push("Content-Length", length);
    response.sendDate = false;
    response.writeHead(statusCode, statusMessage, all);
    // The client need not wait for the body to see it.
    response.flushHeaders();
    this.#framed = coding !== undefined || length !== undefined || request.method === "HEAD";
    flow(answer, response, downRates, this.#carried);
    answer
      .on("error", (error) => this.abort(lost(error)))
      .on("end", () => {
        response.addTrailers(trailers(answer.rawTrailers));
        response.end();
      });
  }

  /** The origin's connection, and with it a response that has nothing else for an end. Node takes that for a whole one. */
  #broken(error: NodeJS.ErrnoException): void {
    if (!this.#answered) this.abort(unanswered(error));
    else if (!this.#framed) this.abort(lost(error));
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.abort(error instanceof GssocksError ? error : badResponse((error as Error).message));
    }
  }

  readonly #carried = (): void => {
    this.#active = performance.now();
  };
}

function lost(error: NodeJS.ErrnoException): NetworkError {
  return brokenBy("destination", error.code ?? error.message, error);
}

function badResponse(why: string): NetworkError {
  return new NetworkError("BAD_RESPONSE", `the origin's response can't be passed on: ${why}`);
}

function unanswered(error: NodeJS.ErrnoException): NetworkError {
  if (error.code?.startsWith("HPE_")) return badResponse(`${error.code}: ${error.message}`);
  return new NetworkError("NO_RESPONSE", `the origin gave no response: ${error.code ?? error.message}`, {
    cause: error,
  });
}
