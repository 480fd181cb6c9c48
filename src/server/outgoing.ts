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

interface Entry {
  readonly local: TcpAddress;
  readonly remote: TcpAddress;
  readonly owner: Owner;
}

/** Holds one entry for each connection that is open, so it is bounded as sessions are. */
export class OutgoingConnections {
  /** By our port: connections that go to different places may share one. Not a Map, for what {@link OpenList} says of a Set. */
  readonly #byPort: Record<number, Entry[]> = {};

  /**
   * To be called as soon as the connection is there: the destination may ask at once.
   * @returns takes the entry out again, when the socket has closed
   */
  add(local: TcpAddress, remote: TcpAddress, owner: Owner): () => void {
    const entry = { local: plain(local), remote: plain(remote), owner };
    // The system may have given the ports away again before an end that comes late.
    const before = this.#entry(entry.local, entry.remote);
    if (before !== undefined) this.#delete(before);
    this.#byPort[local.port] ??= [];
    this.#byPort[local.port]?.push(entry);
    return () => this.#delete(entry);
  }

  find(local: TcpAddress, remote: TcpAddress): Owner | null {
    return this.#entry(plain(local), plain(remote))?.owner ?? null;
  }

  get size(): number {
    return Object.values(this.#byPort).flat().length;
  }

  #entry(local: TcpAddress, remote: TcpAddress): Entry | undefined {
    return this.#byPort[local.port]?.find((each) => isSame(each.local, local) && isSame(each.remote, remote));
  }

  #delete(entry: Entry): void {
    const { port } = entry.local;
    const entries = this.#byPort[port] ?? [];
    const at = entries.indexOf(entry);
    if (at === -1) return;
    if (entries.length === 1) delete this.#byPort[port];
    else entries.splice(at, 1);
  }
}

function plain({ address, port }: TcpAddress): TcpAddress {
  return { address: plainAddress(address), port };
}

function isSame(one: TcpAddress, other: TcpAddress): boolean {
  return one.port === other.port && one.address === other.address;
}
