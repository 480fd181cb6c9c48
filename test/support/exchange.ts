/** Both directions of a connection at once, what arrives compared with what was sent while it comes. */
import { once } from "node:events";
import type { Duplex } from "node:stream";

export interface Exchange {
  /** What this side sends, and how many octets at a time. */
  send: Buffer;
  chunk: () => number;
  /** What the other side sends. */
  expect: Buffer;
}

export interface Exchanged {
  /** Octets that came, all of them as expected. */
  received: number;
  /** After them came an end. */
  ended: boolean;
  /** All was sent and ended, too. */
  finished: boolean;
}

/**
 * Fulfilled when the connection has ended in both directions or is broken.
 * @throws Error where an octet comes that was not sent
 */
export async function exchange(socket: Duplex, { send, chunk, expect }: Exchange): Promise<Exchanged> {
  const exchanged = { received: 0, ended: false, finished: false };
  let foreign: Error | null = null;
  socket
    .on("data", (octets: Buffer) => {
      const at = exchanged.received;
      exchanged.received += octets.length;
      if (expect.subarray(at, exchanged.received).equals(octets)) return;
      foreign ??= new Error(`not what was sent: ${octets.length} octets after ${at}`);
      socket.destroy();
    })
    .on("end", () => {
      exchanged.ended = true;
    })
    .on("finish", () => {
      exchanged.finished = true;
    })
    // Cut connections are what this is for.
    .on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([closed, pour(socket, send, chunk)]);
  await closed;
  if (foreign !== null) throw foreign;
  return exchanged;
}

async function pour(socket: Duplex, octets: Buffer, chunk: () => number): Promise<void> {
  for (let at = 0; at < octets.length && !socket.destroyed; ) {
    const size = chunk();
    // Rejected where the socket breaks: nobody waits for it any more.
    if (!socket.write(octets.subarray(at, at + size))) await once(socket, "drain").catch(() => {});
    at += size;
  }
  socket.end();
}
