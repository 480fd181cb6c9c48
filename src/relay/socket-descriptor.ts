/** What a socket of Node hands over to a relay of the addon. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

/** -1 where it is not for the addon: TLS, closed already, or something is still to be written. */
export function descriptorOf(socket: Socket): number {
  if (socket instanceof TLSSocket || socket.destroyed || socket.writableLength > 0) return -1;
  return heldBy(socket);
}

/** Of whatever Node reads; -1 where there is none any more. */
export function heldBy(socket: Socket): number {
  return (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
}

/** Stops Node's reading. An end that it has read already will be read again: TCP tells it as often as it is asked. */
export function readSoFar(socket: Socket): Buffer {
  socket.pause();
  // By its length: without one, Node 26 gives what came at once, and keeps what came behind it.
  const length = socket.readableLength;
  return length === 0 ? Buffer.alloc(0) : (socket.read(length) as Buffer);
}
