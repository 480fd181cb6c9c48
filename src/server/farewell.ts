import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** How long whoever is done with may take to read what is left before the socket is destroyed, in ms. */
const LINGER = 2000;

type Closing = Pick<Duplex, "destroy" | "once"> & { destroySoon(): void };

/** Once all is written, and all the same where that is not read. */
export function endSoon(socket: Closing): void {
  socket.destroySoon();
  endLater(socket);
}

/** What is still to be written has a while. */
export function endLater(socket: Closing): void {
  const linger = setTimeout(() => socket.destroy(), LINGER);
  socket.once("close", () => clearTimeout(linger));
}

/** What was said before is sent, then our end; a client that does not close in turn is cut off. */
export function sayFarewell(socket: Socket): void {
  socket.resume();
  socket.end();
  endLater(socket);
  socket.once("end", () => socket.destroySoon());
  if (socket.readableEnded) socket.destroySoon();
}
