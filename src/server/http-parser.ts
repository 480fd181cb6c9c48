/**
 * Node's own HTTP parser for connections that were accepted elsewhere: a server that listens nowhere. It is strict: a
 * message whose length could be read in two ways, a folded line or a stray octet ends the connection (RFC 9112 §5, §6, §11.2).
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Of the head of a request: a ticket with a PAC has up to 48,000 octets, and 64,000 in base64. */
export const MAX_HEAD = 98_304;

export interface HttpHandler {
  request(request: IncomingMessage, response: ServerResponse): void;
  /** The connection is the handler's from here on. @param head what has come behind the request */
  connect(request: IncomingMessage, head: Buffer): void;
  /** What came is not HTTP, or the connection broke. May be told several times. */
  broken(error: NodeJS.ErrnoException): void;
}

const handlers = new WeakMap<object, HttpHandler>();

/**
 * Its own time-outs are those of a server that listens; connections have deadlines of ours in their place
 * (server/http-connection). Their number is bounded where they are accepted.
 */
const parser = createServer({
  maxHeaderSize: MAX_HEAD,
  requireHostHeader: false,
  keepAliveTimeout: 0,
  headersTimeout: 0,
  requestTimeout: 0,
});
// All of them are looked at: one that was left out could say how long the message is.
parser.maxHeadersCount = 0;
// A client that has sent all it has to say may half-close (RFC 9112 §9.6).
(parser as typeof parser & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;

const handle = (request: IncomingMessage, response: ServerResponse) => {
  const handler = handlers.get(request.socket);
  if (handler === undefined) request.socket.destroy();
  else handler.request(request, response);
};

parser
  .on("request", handle)
  // Whether the body is wanted is for the origin to say (RFC 9110 §10.1.1).
  .on("checkContinue", handle)
  .on("connect", (request, socket, head) => handlers.get(socket)?.connect(request, head))
  .on("clientError", (error, socket) => handlers.get(socket)?.broken(error));

/** Until CONNECT. What was read already has been given back to the socket. */
export function parseHttp(socket: Socket, handler: HttpHandler): void {
  handlers.set(socket, handler);
  parser.emit("connection", socket);
  socket.resume();
}
