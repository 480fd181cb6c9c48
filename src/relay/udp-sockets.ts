/** The sockets of associations: opened, found a port in a range, and sent through without being able to pile up. */
import { randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { NetworkError } from "../errors.js";
import type { DropReason } from "./datagram-drops.js";

export interface PortRange {
  first: number;
  last: number;
}

export type Received = (datagram: Buffer, from: { address: string; port: number }) => void;

/** Octets that may wait in a socket until the network takes them: twice what a session over TCP holds each way. */
const MAX_QUEUED = 4 * 65536;

/**
 * @param ports to choose from; null: the system picks
 * @throws NetworkError (UDP_BIND_FAILED)
 */
export async function openUdpSocket(
  address: string,
  ports: PortRange | null,
  received: Received,
): Promise<Socket> {
  const { first, last } = ports ?? { first: 0, last: 0 };
  const count = last - first + 1;
  // From anywhere in the range, so that nobody can tell the next association's port from this one's.
  const start = randomInt(count);
  for (let tried = 0; ; tried += 1) {
    try {
      return await bind(address, first + ((start + tried) % count), received);
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && tried + 1 < count) continue;
      const range = ports === null ? "" : `, ports ${first}-${last}`;
      throw new NetworkError(
        "UDP_BIND_FAILED",
        `no UDP socket can be had on ${address}${range}: ${code === "EADDRINUSE" ? "all are in use" : code}`,
        { cause: error },
      );
    }
  }
}

function bind(address: string, port: number, received: Received): Promise<Socket> {
  return new Promise((done, fail) => {
    const ipv6Only = address.includes(":");
    const socket = createSocket({
      type: ipv6Only ? "udp6" : "udp4",
      ipv6Only,
      // What is sent to is an address already: no query leaves from here.
      lookup: (host, _options, found) => found(null, host, 0),
    });
    const failed = (error: Error): void => {
      socket.close();
      fail(error);
    };
    socket.once("error", failed);
    socket.bind({ address, port, exclusive: true }, () => {
      // An error of a single datagram is no error of the socket.
      socket.off("error", failed).on("error", () => {});
      socket.on("message", received);
      done(socket);
    });
  });
}

/**
 * Sends unless too much waits already. Calls `sent` once, with null or why the datagram was dropped, maybe at once.
 * @param to null for a connected socket
 */
export function sendDatagram(
  socket: Socket,
  datagram: Buffer,
  to: { address: string; port: number } | null,
  sent: (dropped: DropReason | null) => void,
): void {
  if (socket.getSendQueueSize() > MAX_QUEUED) return sent("backlog");
  const done = (error: Error | null): void => sent(error === null ? null : reasonOf(error));
  if (to === null) socket.send(datagram, done);
  else socket.send(datagram, to.port, to.address, done);
}

function reasonOf(error: NodeJS.ErrnoException): DropReason {
  if (error.code === "EMSGSIZE") return "too-large";
  return error.code === "ENOBUFS" || error.code === "EAGAIN" ? "backlog" : "unreachable";
}
