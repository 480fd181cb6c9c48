import type { Socket } from "node:net";
import { goneAway } from "../relay/cut-off.js";

/** Milliseconds between two looks. */
const INTERVAL = 1000;

/**
 * Looks whether a client is still there while something is done for it. Node tells of no reset behind the client's end, nor
 * behind more than is read ahead, nor that somebody who has ended has closed a Unix socket; a client that has only ended
 * what it sends is there, and is waited for.
 */
export class ClientWatch {
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Until the socket is closed, or given away. It is destroyed when the client has gone: with what broke it, if anything. */
  begin(): void {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  /** Idempotent. */
  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const code = this.#socket.destroyed ? "" : goneAway(this.#socket);
    if (code === null) return;
    this.end();
    this.#socket.destroy(code === "" ? undefined : Object.assign(new Error(code), { code }));
  }
}
