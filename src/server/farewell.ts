import type { Socket } from "node:net";

/** How long a refused client may take to read the farewell before the socket is destroyed, in ms. */
const LINGER = 2000;

/** What was said before is sent, then our end; a client that does not close in turn is cut off. */
export function sayFarewell(socket: Socket): void {
  socket.resume();
  socket.end();
  const linger = setTimeout(() => socket.destroy(), LINGER);
  socket.once("end", () => socket.destroySoon()).once("close", () => clearTimeout(linger));
  if (socket.readableEnded) socket.destroySoon();
}
