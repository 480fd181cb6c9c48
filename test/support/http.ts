/** HTTP by hand: what a well-behaved client never sends, and every octet of the answer. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface HttpAnswer {
  /** null where the connection was closed without an answer. */
  status: number | null;
  body: string;
  octets: string;
}

export async function openHttp(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** All that comes until the other side closes, in whatever way. */
export async function answerOf(socket: Socket): Promise<HttpAnswer> {
  const parts: Buffer[] = [];
  socket.on("data", (octets: Buffer) => parts.push(octets));
  await new Promise<void>((resolve) => {
    socket
      .on("end", resolve)
      .on("error", () => resolve())
      .on("close", () => resolve());
  });
  socket.destroy();
  const octets = Buffer.concat(parts).toString("latin1");
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(octets) ?? [];
  const end = octets.indexOf("\r\n\r\n");
  return {
    status: status === undefined ? null : Number(status),
    body: end < 0 ? "" : octets.slice(end + 4),
    octets,
  };
}

/** @param request its first line and headers, without the empty line behind them */
export async function ask(port: number, request: string): Promise<HttpAnswer> {
  const socket = await openHttp(port);
  socket.write(`${request}\r\nHost: localhost\r\n\r\n`);
  return answerOf(socket);
}

export function get(port: number, path: string): Promise<HttpAnswer> {
  return ask(port, `GET ${path} HTTP/1.1`);
}
