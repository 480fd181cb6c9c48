/** What an HTTP client asks for, and what is refused whoever asks. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { PeerError } from "../errors.js";
import type { Endpoint } from "../protocol/address.js";
import { checkHops } from "../protocol/hop-mark.js";
import { timesThroughUs, valuesOf } from "../protocol/http-fields.js";
import { type AbsoluteTarget, parseAbsoluteForm, parseAuthorityForm } from "../protocol/http-target.js";

/** A request's head, and how it is answered. */
export interface Asked {
  readonly request: IncomingMessage;
  /** null: of CONNECT, which is answered by hand. */
  readonly response: ServerResponse | null;
  /** Behind CONNECT. */
  readonly head: Buffer;
}

export type HttpTarget =
  | { readonly kind: "connect"; readonly dst: Endpoint }
  | ({ readonly kind: "absolute" } & AbsoluteTarget)
  /** The proxy itself. */
  | { readonly kind: "origin"; readonly path: string };

/** Fields of one head, of which every one costs some memory. */
const MAX_FIELDS = 256;

/** @throws PeerError (BAD_TARGET, BAD_HTTP, FIELDS_TOO_LONG, TRANSFER_CODING …), PolicyError (LOOP) */
export function readRequest({
  method = "",
  url = "",
  headers,
  rawHeaders,
  httpVersion,
}: IncomingMessage): HttpTarget {
  if (rawHeaders.length > 2 * MAX_FIELDS)
    throw new PeerError("FIELDS_TOO_LONG", `more than ${MAX_FIELDS} header fields`);
  checkHops(timesThroughUs(rawHeaders));
  const coding = headers["transfer-encoding"];
  if (method === "CONNECT") {
    // RFC 9110 §9.3.6: it has none; what follows the head is for the destination.
    if (coding !== undefined || Number(headers["content-length"] ?? 0) !== 0)
      throw new PeerError("BAD_HTTP", "a CONNECT with a body");
    return { kind: "connect", dst: parseAuthorityForm(url) };
  }
  const hosts = valuesOf(rawHeaders, "host").length;
  // RFC 9112 §3.2.
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1"))
    throw new PeerError("BAD_HTTP", hosts > 1 ? "more than one Host" : "no Host");
  // RFC 9112 §6.1: what we do not decode we would pass on as something else.
  if (coding !== undefined && coding.toLowerCase() !== "chunked")
    throw new PeerError("TRANSFER_CODING", "the only transfer coding that is taken is chunked");
  if (coding !== undefined && httpVersion === "1.0")
    throw new PeerError("BAD_HTTP", "HTTP/1.0 has no transfer codings");
  if (url.startsWith("/")) return { kind: "origin", path: url };
  return { kind: "absolute", ...parseAbsoluteForm(method, url) };
}

/** What Node's parser, or the connection, says of a request that it did not get whole. */
export function brokenRequest(error: NodeJS.ErrnoException): PeerError {
  if (error.code === "HPE_HEADER_OVERFLOW")
    return new PeerError("FIELDS_TOO_LONG", "the request's head is too long", { cause: error });
  if (error.code === "HPE_INVALID_EOF_STATE")
    return new PeerError("CLOSED_EARLY", "the client closed in the middle of a request", { cause: error });
  return new PeerError("BAD_HTTP", `not HTTP: ${error.message}`, { cause: error });
}

/** Whether a client means to go on after an answer (RFC 9112 §9.3). */
export function staysOpen({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === "1.1" && !/\bclose\b/i.test(headers.connection ?? "");
}
