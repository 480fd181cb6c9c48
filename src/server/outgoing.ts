/** The TCP connections that the proxy made for its users, for the Ident server to ask about. */
import { plainAddress } from "../protocol/address.js";

export interface TcpAddress {
  /** As a socket tells it; an IPv4-mapped address is the IPv4 address. */
  readonly address: string;
  readonly port: number;
}

export interface Owner {
  readonly session: string;
  /** The principal or name that the client gave proof of; null where it gave none. */
  readonly user: string | null;
}

/** Whose connection it is; null for none of ours. */
export type FindOwner = (local: TcpAddress, remote: TcpAddress) => Promise<Owner | null>;

/** Holds one entry for each connection that is open, so it is bounded as sessions are. */
export class OutgoingConnections {
  readonly #owners = new Map<string, Owner>();

  /**
   * To be called as soon as the connection is there: the destination may ask at once.
   * @returns takes the entry out again, when the socket has closed
   */
  add(local: TcpAddress, remote: TcpAddress, owner: Owner): () => void {
    const key = keyOf(local, remote);
    this.#owners.set(key, owner);
    return () => {
      // The system may have given the ports to another connection since.
      if (this.#owners.get(key) === owner) this.#owners.delete(key);
    };
  }

  find(local: TcpAddress, remote: TcpAddress): Owner | null {
    return this.#owners.get(keyOf(local, remote)) ?? null;
  }

  get size(): number {
    return this.#owners.size;
  }
}

function keyOf(local: TcpAddress, remote: TcpAddress): string {
  return [local, remote].map(({ address, port }) => `${plainAddress(address)} ${port}`).join(" ");
}
