/** An HTTP server of Node's as the destination, which tells what it was asked. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { listeningServer } from "./listening-server.js";

export interface AskedOrigin {
  method: string;
  url: string;
  /** As they came. */
  fields: string[];
  body: string;
  /** Behind it, as they came. */
  trailers: string[];
}

export class HttpOrigin {
  readonly asked: AskedOrigin[] = [];
  readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  /** @param answer has the request, read to its end; default: says what it was asked */
  static async start(
    context: TestContext,
    answer: (asked: AskedOrigin, response: ServerResponse) => void = (asked, response) =>
      response.end(`${asked.method} ${asked.url} ${asked.body.length}`),
  ): Promise<HttpOrigin> {
    const server = createServer();
    const origin = new HttpOrigin(server);
    server.on("request", (request: IncomingMessage, response) => {
      const parts: Buffer[] = [];
      request.on("data", (octets) => parts.push(octets));
      request.on("error", () => {});
      request.on("end", () => {
        const { method = "", url = "", rawHeaders: fields, rawTrailers: trailers } = request;
        const asked = { method, url, fields, body: Buffer.concat(parts).toString("latin1"), trailers };
        origin.asked.push(asked);
        answer(asked, response);
      });
    });
    await listeningServer(context, server);
    return origin;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get last(): AskedOrigin {
    const last = this.asked.at(-1);
    if (last === undefined) throw new Error("the origin was not asked");
    return last;
  }
}
