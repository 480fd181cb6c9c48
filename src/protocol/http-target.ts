/**
 * Where an HTTP client wants to go (RFC 9112 §3.2): the request target of CONNECT is an authority (§3.2.3), that of any
 * other request through a proxy is an absolute URI (§3.2.2). What is taken is read strictly: a target that two readers may
 * understand in two ways is refused, and the path and query go on as they came, octet for octet.
 */
import { PeerError } from "../errors.js";
import { type Endpoint, formatEndpoint, nameOnTheWire, quote } from "./address.js";

/** RFC 9110 §4.2.1. */
const HTTP_PORT = 80;

/** As SOCKS5's DST.ADDR has it. */
const LONGEST_NAME = 255;

const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[^[\]:]+)(?::(\d{0,5}))?$/;

const ABSOLUTE = /^http:\/\/([^/?#]*)(\/[^?#]*)?(\?[^#]*)?$/i;

export interface AbsoluteTarget {
  readonly dst: Endpoint;
  /** What the origin is to be asked for: origin-form (§3.2.1), or `*` (§3.2.4). */
  readonly path: string;
  /** RFC 9110 §7.2: without a port that goes without saying. */
  readonly host: string;
}

/** Of CONNECT. @throws PeerError (BAD_TARGET, BAD_DOMAIN_NAME) */
export function parseAuthorityForm(target: string): Endpoint {
  return parseAuthority(target, null);
}

/** @throws PeerError (BAD_TARGET, BAD_DOMAIN_NAME) */
export function parseAbsoluteForm(method: string, target: string): AbsoluteTarget {
  const [match, authority = "", path = "", query = ""] = ABSOLUTE.exec(target) ?? [];
  if (match === undefined) throw new PeerError("BAD_TARGET", wrongForm(method, target));
  // RFC 9110 §4.2.4: a user in it is there to deceive.
  if (authority.includes("@")) throw new PeerError("BAD_TARGET", "the request target has a user in it");
  const dst = parseAuthority(authority, HTTP_PORT);
  const endpoint = formatEndpoint(dst);
  const host = dst.port === HTTP_PORT ? endpoint.slice(0, endpoint.lastIndexOf(":")) : endpoint;
  const asterisk = method === "OPTIONS" && path === "" && query === "";
  return { dst, path: asterisk ? "*" : `${path === "" ? "/" : path}${query}`, host };
}

function wrongForm(method: string, target: string): string {
  const shown = quote(target.length > 100 ? `${target.slice(0, 100)}…` : target);
  if (/^https:/i.test(target))
    return `${method} ${shown}: a proxy is asked for https by CONNECT, not by an absolute URI`;
  return `${method} ${shown}: a proxy is asked for an absolute URI, as http://host/path`;
}

/** @param port where the text has none; null: it has to have one */
function parseAuthority(text: string, port: number | null): Endpoint {
  const [match, host = "", digits = ""] = AUTHORITY.exec(text) ?? [];
  if (match === undefined || host.length > LONGEST_NAME)
    throw new PeerError("BAD_TARGET", `not a host and a port: ${quote(text.slice(0, LONGEST_NAME))}`);
  const number = digits === "" ? port : Number(digits);
  if (number === null || number < 1 || number > 0xffff)
    throw new PeerError("BAD_TARGET", `no port: ${quote(text)}`);
  const bare = host.startsWith("[") ? host.slice(1, -1) : host;
  const address = nameOnTheWire(Buffer.from(bare, "latin1"));
  if (host.startsWith("[") && address.kind === "domain")
    throw new PeerError("BAD_TARGET", `not an IPv6 address: ${quote(text)}`);
  return { host: address, port: number };
}
