/** Daemons that do not say when they listen: slapd says that it starts before it does, and then no more. */
import { connect, type NetConnectOpts } from "node:net";
import type { Running } from "./processes.js";

/** Fulfilled when somebody listens there: that is for us to try. Rejects where the daemon has ended. */
export async function accepting(at: NetConnectOpts, daemon: Running): Promise<void> {
  let gone = false;
  void daemon.exited.then(() => {
    gone = true;
  });
  for (let tries = 0; tries < 500 && !gone; tries++) {
    const socket = connect(at);
    const listens = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).on("error", () => resolve(false));
    });
    socket.destroy();
    if (listens) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nobody listens: ${daemon.stderr()}`);
}
