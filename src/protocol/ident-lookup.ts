/**
 * What `gssocks identd` asks the serving process over a Unix socket: a query of RFC 1413 with the two addresses, which
 * there come from the query's own connection. The answer is a response of RFC 1413 (`ident-message`).
 *
 *     6191,23:192.0.2.1,198.51.100.7     addresses in the order of the ports: on the server (ours), on the client
 */
import { PeerError } from "../errors.js";
import { parseHost } from "./address.js";
import { formatPair, type PortPair, parsePair, takeLine } from "./ident-message.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

/** One TCP connection, as the identd's host sees it. */
export interface IdentLookup extends PortPair {
  readonly addressOnServer: string;
  readonly addressOnClient: string;
}

/**
 * @returns null while the line's end is missing
 * @throws PeerError (IDENT_LINE_TOO_LONG, BAD_IDENT_QUERY)
 */
export function takeIdentLookup(received: ReceiveBuffer): IdentLookup | null {
  const line = takeLine(received);
  if (line === null) return null;
  const [, ports = "", ...addresses] = /^([^:]*):([^,]*),(.*)$/.exec(line) ?? [];
  const pair = parsePair(ports, "BAD_IDENT_QUERY");
  const [addressOnServer = "", addressOnClient = ""] = addresses.map((text) => {
    const host = parseHost(text);
    if (host.kind === "domain") throw new PeerError("BAD_IDENT_QUERY", "no address where one was expected");
    return host.address;
  });
  return { ...pair, addressOnServer, addressOnClient };
}

/** @throws UsageError (BAD_PORT) */
export function encodeIdentLookup({ addressOnServer, addressOnClient, ...pair }: IdentLookup): Buffer {
  return Buffer.from(`${formatPair(pair)}:${addressOnServer},${addressOnClient}\n`, "latin1");
}
