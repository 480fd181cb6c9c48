/**
 * The client of RFC 1413: asks the host of a SOCKS client who owns the connection it came by. What comes back is that
 * host's word and no more (§6): good for SOCKS4's userid and for the log.
 */
import { PeerError, PolicyError } from "../errors.js";
import { formatEndpoint, parseHost } from "../protocol/address.js";
import { encodeIdentQuery, type IdentResponse } from "../protocol/ident-message.js";
import { FairPlaces } from "../relay/fair-places.js";
import { exchangeIdent, type Identd, IdentRefusedError, withDeadline } from "./ident-exchange.js";

export { IdentRefusedError } from "./ident-exchange.js";

/** RFC 1413 §2. */
const IDENT_PORT = 113;

/** Queries that may wait for each one that may run. */
const WAITING_PER_RUNNING = 4;

export interface IdentClientOptions {
  /** Where the client's host is asked; default 113. */
  port?: number;
  /** An identd elsewhere that answers for every client, as on a router with NAT; it is told the ports alone. */
  server?: { readonly host: string; readonly port: number } | null;
  /** Milliseconds for all of a query, the wait for its turn included. */
  timeout: number;
  /** Queries that run at once. */
  concurrency: number;
}

/** A connection that a client made to us. */
export interface IdentPair {
  clientAddress: string;
  clientPort: number;
  /** Ours; the query leaves from there, since the identd takes the connection's addresses from the query's (§3). */
  serverAddress: string;
  serverPort: number;
}

export interface IdentAnswer {
  user: string;
  opsys: string;
  charset: string | null;
}

export class IdentClient {
  readonly #port: number;
  readonly #server: { readonly host: string; readonly port: number } | null;
  readonly #timeout: number;
  readonly #places: FairPlaces;

  constructor({ port = IDENT_PORT, server = null, timeout, concurrency }: IdentClientOptions) {
    this.#port = port;
    this.#server = server;
    this.#timeout = timeout;
    this.#places = new FairPlaces(concurrency, concurrency * WAITING_PER_RUNNING, busy);
  }

  /**
   * @throws NetworkError where no identd answers (IDENT_UNAVAILABLE) or the signal came first (IDENT_ABORTED);
   *   IdentRefusedError (IDENT_REFUSED) where it does not tell, with its `kind`; PeerError where what it says is no
   *   answer to this query; PolicyError (IDENT_BUSY) where too many queries wait already
   */
  ask(pair: IdentPair, signal?: AbortSignal): Promise<IdentAnswer> {
    const identd = this.#identdOf(pair);
    const ports = { portOnServer: pair.clientPort, portOnClient: pair.serverPort };
    const host = unmapped(pair.clientAddress);
    return withDeadline(identd, this.#timeout, signal, async (deadline) => {
      await this.#places.acquire(host, deadline);
      try {
        return toAnswer(identd, await exchangeIdent(identd, ports, encodeIdentQuery(ports), deadline));
      } finally {
        this.#places.release(host);
      }
    });
  }

  #identdOf({ clientAddress, serverAddress }: IdentPair): Identd {
    if (this.#server !== null) return { name: nameOf(this.#server), connect: { ...this.#server } };
    const host = unmapped(clientAddress);
    const connect = { host, port: this.#port, localAddress: unmapped(serverAddress) };
    return { name: nameOf(connect), connect };
  }
}

function busy(host: string, ahead: number, waiting: number): PolicyError {
  const message = `too many ident queries wait already, ${ahead} of ${waiting} for ${host}`;
  return new PolicyError("IDENT_BUSY", message);
}

function toAnswer(identd: Identd, response: IdentResponse): IdentAnswer {
  if (response.type === "ERROR") {
    throw new IdentRefusedError(identd.name, response.error, `answers ERROR : ${response.error}`);
  }
  const { opsys, charset, userId } = response;
  // The RFC's own example has a space in front of the name, which by its grammar is part of it. No system's user names
  // begin with one, and identds do send it: only under OTHER is it taken at its word.
  const user = opsys === "OTHER" ? userId : userId.trimStart();
  if (user === "")
    throw new PeerError("BAD_IDENT_RESPONSE", `the identd at ${identd.name} names a user of spaces alone`);
  return { user, opsys, charset };
}

function nameOf({ host, port }: { host: string; port: number }): string {
  return formatEndpoint({ host: parseHost(host), port });
}

/** An IPv4-mapped address as the IPv4 address it is; all else, with its scope, as it was. */
function unmapped(address: string): string {
  const host = parseHost(address);
  return host.kind === "ipv4" ? host.address : address;
}
