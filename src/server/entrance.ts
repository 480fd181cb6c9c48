/** A listener that may be opened before it is known whether anybody is to be received there. */
import type { Socket } from "node:net";
import { reset } from "../relay/cut-off.js";
import { Listener, type ListenerAddress, type ListeningSocket } from "./listener.js";

export type Receive = (client: Socket) => void;

export class Entrance {
  /** As the configuration has it. */
  readonly at: ListenerAddress;
  readonly listener: Listener;
  #receive: Receive | null = null;
  /** Who came before anybody received them. */
  readonly #early: Socket[];

  /**
   * @param socket that listens already
   * @throws NetworkError (CANNOT_LISTEN)
   */
  static async open(at: ListenerAddress, socket?: ListeningSocket): Promise<Entrance> {
    const early: Socket[] = [];
    let entrance: Entrance | null = null;
    const arrived = (client: Socket) => (entrance === null ? early.push(client) : entrance.#arrived(client));
    const listener =
      socket === undefined ? await Listener.open(at, arrived) : await Listener.share(socket, arrived, at);
    entrance = new Entrance(at, listener, early);
    return entrance;
  }

  private constructor(at: ListenerAddress, listener: Listener, early: Socket[]) {
    this.at = at;
    this.listener = listener;
    this.#early = early;
  }

  /** From now on, and who has come before. */
  receiveBy(receive: Receive): void {
    this.#receive = receive;
    for (const client of this.#early.splice(0)) receive(client);
  }

  close(): void {
    this.listener.close();
    for (const client of this.#early.splice(0)) reset(client);
  }

  /** `address:port`, as bound. */
  toString(): string {
    return String(this.listener);
  }

  #arrived(client: Socket): void {
    if (this.#receive === null) this.#early.push(client);
    else this.#receive(client);
  }
}
