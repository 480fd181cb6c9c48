import type { Socket } from "node:net";

/**
 * Resets a connection at once. Node's resetAndDestroy ends the stream first and waits for what is queued, so that the peer
 * would see an end, and one that does not read would never be cut off; the flag it sets makes destroy() itself reset.
 */
export function reset(socket: Socket): void {
  (socket as Socket & { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}

/**
 * Ends a side of a session that failed: a reset, not an end, for RFC 1961 has no end mark of its own and a plain close
 * would pass for the whole transfer. A side that had its end already is spared it: it could lose octets not read yet.
 */
export function cutOff(socket: Socket): void {
  if (socket.writableFinished) socket.destroy();
  else reset(socket);
}
