import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { NetworkError } from "../errors.js";
import { endError, hangUp, setAbortive } from "../gss/tcp-end.js";
import { heldBy } from "./socket-descriptor.js";

type Resettable = Socket & { resetAndClosing?: boolean; _handle?: { reset?: unknown } | null };

/** The TCP sockets beneath TLS ones. */
const beneath = new WeakMap<Socket, Socket>();

/** Tells what is to be reset where `tls` is: Node takes an end of TCP for an end of TLS, close_notify or not. */
export function carriedBy(tls: TLSSocket, tcp: Socket): void {
  beneath.set(tls, tcp);
}

/**
 * Resets a connection at once; a Unix socket has no reset, and is closed. Node's resetAndDestroy ends the stream first and waits for what is queued, so that the peer
 * would see an end, and one that does not read would never be cut off; the flag it sets makes destroy() itself reset.
 */
export function reset(socket: Socket): void {
  const tcp: Resettable = beneath.get(socket) ?? socket;
  tcp.resetAndClosing = typeof tcp._handle?.reset === "function";
  socket.destroy();
}

/**
 * Ends a side of a session that failed: a reset, not an end, for RFC 1961 has no end mark of its own and a plain close
 * would pass for the whole transfer. A side that had its end already is spared it: it could lose octets not read yet.
 * So is one whose end is on its way, all octets being written: libuv refuses to reset it (EINVAL), after which Node takes
 * the socket for closed, though it is not and never will be.
 */
export function cutOff(socket: Socket): void {
  if (socket.writableEnded && socket.writableLength === 0) socket.destroy();
  else reset(socket);
}

function tcpDescriptor(socket: Socket): number {
  return heldBy(beneath.get(socket) ?? socket);
}

/**
 * What broke a connection that has ended: libuv takes a reset for an end that comes right behind the last octets.
 * @returns null where it was an end
 */
export function brokenEnd(socket: Socket): string | null {
  return endError(tcpDescriptor(socket));
}

/** Whether the other end has gone, which Node does not see where it has ended before, or is not read. @returns as {@link hangUp} */
export function goneAway(socket: Socket): string | null {
  return hangUp(tcpDescriptor(socket));
}

/** Until {@link letGo} or {@link endProperly}, whatever ends us resets the connection. */
export function holdOpen(socket: Socket): void {
  setAbortive(tcpDescriptor(socket), true);
}

export function letGo(socket: Socket): void {
  setAbortive(tcpDescriptor(socket), false);
}

export function endProperly(socket: Socket, ended?: () => void): void {
  letGo(socket);
  socket.end(ended);
}

/** @param error its code, as ECONNRESET, or what else is known */
export function brokenBy(side: string, error: string, cause?: Error): NetworkError {
  const message = `the ${side}'s connection broke: ${error}`;
  return new NetworkError("CONNECTION_LOST", message, cause === undefined ? {} : { cause });
}
