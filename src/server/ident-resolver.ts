/**
 * Who is behind a connection of this host? The proxy is asked first, over its Unix socket, then the system's own
 * identd. A source that fails is never passed over for one that knows less: the system would name the proxy's own user.
 */
import { exchangeIdent, type Identd, withDeadline } from "../auth/ident-exchange.js";
import { type GssocksError, NetworkError } from "../errors.js";
import type { Observer } from "../observability/events.js";
import { formatEndpoint, parseHost } from "../protocol/address.js";
import { encodeIdentLookup, type IdentLookup } from "../protocol/ident-lookup.js";
import {
  encodeIdentQuery,
  type IdentErrorType,
  type IdentResult,
  isPort,
} from "../protocol/ident-message.js";
import { kernelHasConnection } from "./kernel-connections.js";
import type { TcpAddress } from "./outgoing.js";

/** Milliseconds for each of the two. */
const TIMEOUT = 5000;

export interface IdentSources {
  /** The path of the serving process' Unix socket. */
  socket: string;
  /** The system's identd. It sees our address where the querier's is meant, so it must trust us (oidentd: --proxy). */
  forward: { readonly host: string; readonly port: number } | null;
  /** What is said where nobody knows. */
  unknown: "NO-USER" | "HIDDEN-USER";
}

export interface Resolved {
  source: "proxy" | "system" | null;
  result: IdentResult;
}

export class IdentResolver {
  readonly #sources: IdentSources;
  readonly #observer: Observer;

  constructor(sources: IdentSources, observer: Observer) {
    this.#sources = sources;
    this.#observer = observer;
  }

  async resolve(lookup: IdentLookup): Promise<Resolved> {
    const { portOnServer, portOnClient } = lookup;
    if (!isPort(portOnServer) || !isPort(portOnClient)) return failed(null, "INVALID-PORT");
    return (
      (await this.#askProxy(lookup)) ?? (await this.#askSystem(lookup)) ?? failed(null, this.#sources.unknown)
    );
  }

  /** @returns null where the connection is none of the proxy's */
  async #askProxy(lookup: IdentLookup): Promise<Resolved | null> {
    const { socket } = this.#sources;
    const proxy = { name: socket, connect: { path: socket } };
    try {
      const result = await ask(proxy, lookup, encodeIdentLookup(lookup));
      return result.type === "ERROR" && result.error === "NO-USER" ? null : { source: "proxy", result };
    } catch (error) {
      this.#tell("proxy", lookup, error);
      return isNotRunning(error) ? null : failed("proxy", "UNKNOWN-ERROR");
    }
  }

  /**
   * RFC 1413 §3: one may ask about one's own connections only. The system's identd can't see who asks, so it is only
   * asked about a connection that there is between the two.
   */
  async #askSystem(lookup: IdentLookup): Promise<Resolved | null> {
    const { forward } = this.#sources;
    if (forward === null) return null;
    const system = {
      name: formatEndpoint({ host: parseHost(forward.host), port: forward.port }),
      connect: { ...forward },
    };
    const { portOnServer, portOnClient, addressOnServer, addressOnClient } = lookup;
    const local: TcpAddress = { address: addressOnServer, port: portOnServer };
    try {
      if (!(await kernelHasConnection(local, { address: addressOnClient, port: portOnClient }))) return null;
      return { source: "system", result: await ask(system, lookup, encodeIdentQuery(lookup)) };
    } catch (error) {
      this.#tell("system", lookup, error);
      return failed("system", "UNKNOWN-ERROR");
    }
  }

  #tell(source: "proxy" | "system", { addressOnClient }: IdentLookup, error: unknown): void {
    const { code, message } = error as GssocksError;
    this.#observer({ type: "ident-source-failed", client: addressOnClient, source, code, reason: message });
  }
}

async function ask(identd: Identd, lookup: IdentLookup, query: Buffer): Promise<IdentResult> {
  return withDeadline(identd, TIMEOUT, undefined, (signal) => exchangeIdent(identd, lookup, query, signal));
}

/** Nobody listens: without a serving process there are no connections of its. */
function isNotRunning(error: unknown): boolean {
  if (!(error instanceof NetworkError)) return false;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ECONNREFUSED";
}

function failed(source: Resolved["source"], error: IdentErrorType): Resolved {
  return { source, result: { type: "ERROR", error } };
}
