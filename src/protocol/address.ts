/**
 * ATYP, address and port: the part that requests, replies and UDP headers share (RFC 1928 §4, §5).
 *
 *     +------+----------+----------+
 *     | ATYP | DST.ADDR | DST.PORT |      ADDR: 4 octets | 1 octet of length and the name | 16 octets
 *     +------+----------+----------+
 *     |  1   | Variable |    2     |
 *     +------+----------+----------+
 */
import ipaddr from "ipaddr.js";
import { PeerError, UsageError } from "../errors.js";
import { ATYP, REP } from "./constants.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

export type Address =
  | { readonly kind: "ipv4" | "ipv6"; readonly address: string }
  | { readonly kind: "domain"; readonly name: string };

export interface Endpoint {
  readonly host: Address;
  readonly port: number;
}

/** What a reply carries where there is no address to tell. */
export const UNSPECIFIED: Endpoint = { host: { kind: "ipv4", address: "0.0.0.0" }, port: 0 };

/** Octets that a host name on the wire may have: no control, no space, nothing that a log or a resolver could misread. */
const DOMAIN = /^[A-Za-z0-9._-]+$/;

/** Four decimal parts without leading zeros: every session asks for this of several addresses, so it must be quick. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Whether `text` is an IPv4 address in its one canonical form. */
export function isIpv4(text: string): boolean {
  return IPV4.test(text);
}

/** Takes text, as a user types it or a socket reports it, for an address or a name. A scope (`%eth0`) is dropped. */
export function parseHost(text: string): Address {
  const bare = text.includes("%") ? text.replace(/%.*$/, "") : text;
  if (isIpv4(bare)) return { kind: "ipv4", address: bare };
  const colons = bare.includes(":") ? withoutDots(bare) : null;
  if (colons !== null && ipaddr.IPv6.isValid(colons)) return ipv6(ipaddr.IPv6.parse(colons));
  return { kind: "domain", name: text };
}

/**
 * An IPv6 text whose last four octets may be dotted (RFC 4291 §2.2), in colons alone; null where the dotted part is bad.
 * ipaddr.js by itself takes `::192.0.2.1` for an IPv4-mapped address, and octal and hexadecimal parts.
 */
function withoutDots(text: string): string | null {
  if (!text.includes(".")) return text;
  const at = text.lastIndexOf(":") + 1;
  const dotted = text.slice(at);
  if (!isIpv4(dotted)) return null;
  const octets = Buffer.from(ipaddr.IPv4.parse(dotted).octets);
  return `${text.slice(0, at)}${octets.toString("hex", 0, 2)}:${octets.toString("hex", 2)}`;
}

/** A socket's address as one text: without a scope, an IPv4-mapped one as IPv4. */
export function plainAddress(address: string): string {
  const host = parseHost(address);
  return host.kind === "domain" ? host.name : host.address;
}

/** This very host by its loopback: nobody else's network lies on the way (RFC 6761 §6.3 for the name). */
export function isThisHost(host: Address): boolean {
  if (host.kind === "domain") return /^localhost\.?$/i.test(host.name);
  return host.address === "::1" || (host.kind === "ipv4" && host.address.startsWith("127."));
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatEndpoint(endpoint: Endpoint): string {
  const { host, port } = endpoint;
  if (host.kind === "domain") return `${host.name}:${port}`;
  return host.kind === "ipv6" ? `[${host.address}]:${port}` : `${host.address}:${port}`;
}

/**
 * Reads ATYP, address and port that begin at `offset`, without removing them.
 * @returns the endpoint and the offset behind it, or null while octets are missing
 * @throws PeerError (ADDRESS_TYPE_UNSUPPORTED, REP 0x08; BAD_DOMAIN_NAME, REP 0x01)
 */
export function readEndpoint(
  received: ReceiveBuffer,
  offset: number,
): { endpoint: Endpoint; end: number } | null {
  if (received.length < offset + 1) return null;
  const atyp = received.octet(offset);
  const at = atyp === ATYP.DOMAINNAME ? offset + 2 : offset + 1;
  if (received.length < at) return null;
  const size = addressSize(atyp, received, offset);
  const end = at + size + 2;
  if (received.length < end) return null;
  const host = toAddress(atyp, received.peek(at, at + size));
  return { endpoint: { host, port: received.uint16(at + size) }, end };
}

/**
 * @returns ATYP, address and port
 * @throws UsageError for a name of no or more than 255 octets, or a port out of range
 */
export function encodeEndpoint({ host, port }: Endpoint): Buffer {
  if (!Number.isInteger(port) || port < 0 || port > 0xffff)
    throw new UsageError("BAD_PORT", `no port: ${port}`);
  const tail = [port >> 8, port & 0xff];
  if (host.kind === "domain") {
    const name = Buffer.from(host.name, "latin1");
    if (name.length === 0 || name.length > 255 || !DOMAIN.test(host.name)) {
      throw new UsageError(
        "BAD_DOMAIN_NAME",
        `not a host name that SOCKS5 can carry: ${JSON.stringify(host.name)}`,
      );
    }
    return Buffer.from([ATYP.DOMAINNAME, name.length, ...name, ...tail]);
  }
  if (host.kind === "ipv6")
    return Buffer.from([ATYP.IPV6, ...ipaddr.parse(host.address).toByteArray(), ...tail]);
  const [a, b, c, d] = host.address.split(".");
  return Buffer.from([ATYP.IPV4, Number(a), Number(b), Number(c), Number(d), port >> 8, port & 0xff]);
}

function addressSize(atyp: number, received: ReceiveBuffer, offset: number): number {
  switch (atyp) {
    case ATYP.IPV4:
      return 4;
    case ATYP.IPV6:
      return 16;
    case ATYP.DOMAINNAME:
      return received.octet(offset + 1);
    default:
      throw new PeerError(
        "ADDRESS_TYPE_UNSUPPORTED",
        `address type 0x${atyp.toString(16).padStart(2, "0")} is not supported`,
        {
          rep: REP.ADDRESS_TYPE_NOT_SUPPORTED,
        },
      );
  }
}

function toAddress(atyp: number, octets: Buffer): Address {
  if (atyp === ATYP.IPV4) return { kind: "ipv4", address: octets.join(".") };
  if (atyp === ATYP.IPV6) return ipv6(new ipaddr.IPv6([...octets]));
  return nameOnTheWire(octets);
}

/**
 * A host name as a client sent it.
 * @throws PeerError (BAD_DOMAIN_NAME, REP 0x01)
 */
export function nameOnTheWire(octets: Buffer): Address {
  const name = octets.toString("latin1");
  // Clients that know only names send address literals as names; taken as what they are, rules see an address.
  const host = parseHost(name);
  // A scope means something on the client's host only, and parseHost would drop whatever stands behind the `%`.
  if (name.includes("%") || (host.kind === "domain" && !DOMAIN.test(name))) {
    throw new PeerError("BAD_DOMAIN_NAME", `not a host name: ${quote(name)}`);
  }
  return host;
}

/** JSON leaves DEL and the C1 controls as they are, and 0x9b begins a terminal's control sequence. */
export function quote(name: string): string {
  return JSON.stringify(name).replace(/[^ -~]/g, (octet) => `\\x${octet.charCodeAt(0).toString(16)}`);
}

/** RFC 5952 text; an IPv4-mapped address is the IPv4 address it stands for, so that no rule can be walked round. */
function ipv6(address: ipaddr.IPv6): Address {
  return address.isIPv4MappedAddress()
    ? { kind: "ipv4", address: address.toIPv4Address().toString() }
    : { kind: "ipv6", address: address.toRFC5952String() };
}
