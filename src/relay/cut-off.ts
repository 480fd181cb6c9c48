import type { Socket } from "node:net";

/**
 * Resets a connection at once. Node's resetAndDestroy first ends the stream and waits for what is queued, so the peer
 * would see an end, and one that does not read would never be cut off; the flag it sets makes destroy() reset by itself.
 */
export function reset(socket: Socket): void {
  (socket as Socket & { resetAndClosing?: boolean }).resetAndClosing = true;
  socket.destroy();
}

/**
 * A reset, not an end: RFC 1961 has no end mark of its own, so a plain close would pass for the whole transfer. A side
 * that had its end already is spared the reset, which could cost it octets it has not read yet.
 */
export function cutOff(socket: Socket): void {
  if (socket.writableFinished) socket.destroy();
  else reset(socket);
}
