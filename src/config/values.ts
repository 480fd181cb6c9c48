/** Text of one configuration value -> what it means. Each function throws a UsageError that says what was expected. */
import { UsageError } from "../errors.js";
import { parseMechanism as mechanismOid } from "../gss/oids.js";
import { parseName } from "../policy/destination-name.js";
import { parseDestinationPattern } from "../policy/destination-pattern.js";
import { parseIp } from "../policy/ip-network.js";
import type { Redirect } from "../policy/terms.js";
import type { ListenerAddress, TcpListenerAddress } from "../protocol/listener-address.js";

/** setTimeout's longest delay. */
const LONGEST_DURATION = 0x7fffffff;

const LONGEST_SOCKET_PATH = 103;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @param text `127.0.0.1:1080`, `[::1]:1080`, `*:1080` */
export function parseListenAddress(text: string): TcpListenerAddress {
  const expected = "an IP address and a port, as 127.0.0.1:1080, [::1]:1080 or *:1080 (quoted in YAML)";
  const [, bracketed, plain, digits] = /^(?:\[([^[\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 0xffff) throw wrong(expected, text);
  if (plain === "*") return { host: "::", port };
  const address = parseIp(bracketed ?? plain ?? "");
  if (address === null || (address.kind() === "ipv4") !== (plain !== undefined)) throw wrong(expected, text);
  return { host: address.toString(), port };
}

/** @param text as {@link parseListenAddress} takes it, `unix:/path` or `systemd:NAME` */
export function parseListenerAddress(text: string): ListenerAddress {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    if (isSocketPath(path)) return { unix: path };
    throw wrong(`unix: and an absolute path of at most ${LONGEST_SOCKET_PATH} octets`, text);
  }
  if (!text.startsWith("systemd:")) return parseListenAddress(text);
  // sd_listen_fds_with_names(3): what a name may hold.
  const name = text.slice("systemd:".length);
  if (!/^[!-9;-~]{1,255}$/.test(name))
    throw wrong("systemd: and the FileDescriptorName= of a socket unit", text);
  return { systemd: name };
}

/** @param text another program's `127.0.0.1:114` or `[::1]:114` */
export function parsePeerAddress(text: string): TcpListenerAddress {
  const address = parseListenAddress(text);
  if (["::", "0.0.0.0"].includes(address.host) || address.port === 0)
    throw wrong("one IP address and a port, as 127.0.0.1:114", text);
  return address;
}

export type SyslogAddress =
  | { readonly protocol: "unix"; readonly path: string }
  | ({ readonly protocol: "udp" | "tcp" } & TcpListenerAddress);

/** @param text `/dev/log`, `udp://192.0.2.1:514`, `tcp://[2001:db8::1]:601` */
export function parseSyslogAddress(text: string): SyslogAddress {
  if (text.startsWith("/")) return { protocol: "unix", path: parseSocketPath(text) };
  const [, protocol, peer = ""] = /^(udp|tcp):\/\/(.*)$/s.exec(text) ?? [];
  if (protocol !== "udp" && protocol !== "tcp")
    throw wrong("/dev/log, udp://IP:PORT or tcp://IP:PORT, as udp://192.0.2.1:514", text);
  return { protocol, ...parsePeerAddress(peer) };
}

/** @param text an IP address, IPv6 without brackets */
export function parseAddress(text: string): string {
  const address = parseIp(text);
  if (address === null) throw wrong("an IP address", text);
  return address.toString();
}

/** @param text `40000-40999` */
export function parsePortRange(text: string): { first: number; last: number } {
  const [, low, high] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const [first, last] = [Number(low), Number(high)];
  if (first >= 1 && first <= last && last <= 0xffff) return { first, last };
  throw wrong("a range of ports, as 40000-40999", text);
}

/**
 * @param least milliseconds, inclusive
 * @returns milliseconds
 */
export function parseDuration(text: string, least: number): number {
  const [, count, unit = ""] = /^(\d{1,10})(ms|s|m|h|d)$/.exec(text) ?? [];
  const duration = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (duration >= least && duration <= LONGEST_DURATION) return duration;
  if (Number.isNaN(duration)) throw wrong(DURATION, text);
  throw wrong(`a duration from ${least}ms to 24d`, text);
}

export const DURATION = 'a number with its unit, as "500ms", "30s", "5m" or "8h"';

const PREFIXES: Readonly<Record<string, number>> = { "": 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 };
const RATES: Readonly<Record<string, number>> = { "bit/s": 1 / 8, "B/s": 1 };

/** @returns octets a second */
export function parseRate(text: string): number {
  const [, count, prefix = "", unit = ""] = /^(\d{1,6}(?:\.\d{1,3})?)([kMG]?)(bit\/s|B\/s)$/.exec(text) ?? [];
  const rate = Number(count) * (PREFIXES[prefix] ?? Number.NaN) * (RATES[unit] ?? Number.NaN);
  // Less than that carries no frame in a second.
  if (rate >= 1000) return Math.round(rate);
  throw wrong("a rate of at least 8kbit/s, as 500kbit/s, 10Mbit/s or 2MB/s", text);
}

export function parseOctets(text: string): number {
  const [, count, prefix = ""] = /^(\d{1,6}(?:\.\d{1,3})?)([kMGT]?)B$/.exec(text) ?? [];
  const octets = Number(count) * (PREFIXES[prefix] ?? Number.NaN);
  if (octets >= 1) return Math.round(octets);
  throw wrong("a number of bytes, as 500MB or 20GB", text);
}

/** @param text `proxy.example.test:3128`, `10.0.0.1`, `[2001:db8::1]:80` */
export function parseRedirect(text: string): Redirect {
  const expected = "a name or an address, with a port or without";
  const pattern = parseDestinationPattern(text);
  const { ports } = pattern;
  if (ports !== null && ports.low !== ports.high) throw wrong(expected, text);
  const port = ports?.low ?? null;
  if (pattern.kind === "name") return { host: pattern.name, port };
  if (pattern.kind === "network" && pattern.network.isSingleAddress)
    return { host: pattern.network.base.toString(), port };
  throw wrong(expected, text);
}

/** @param text `proxy.example.test:1080`, `10.0.0.1:1080`, `[2001:db8::1]:1080` */
export function parseProxyAddress(text: string): { host: string; port: number } {
  const [, bracketed, plain = "", digits] =
    /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (port >= 1 && port <= 0xffff && (bracketed === undefined || parseIp(bracketed) !== null))
    return { host: bracketed ?? plain, port };
  throw wrong("a name or an address, and a port, as proxy.example.test:1080 or [2001:db8::1]:1080", text);
}

const PAC_KINDS = ["PROXY", "HTTPS", "SOCKS5", "SOCKS"] as const;

/** @param text as FindProxyForURL returns it, `PROXY proxy.example.test:3128` */
export function parsePacProxy(text: string): { kind: (typeof PAC_KINDS)[number]; address: string } {
  const [, word, address = ""] = /^(\w+) (\S+)$/.exec(text) ?? [];
  const kind = PAC_KINDS.find((each) => each === word);
  if (kind === undefined) throw wrong(`${PAC_KINDS.join(", ")}, and a host and port`, text);
  parseProxyAddress(address);
  return { kind, address };
}

export function parseDomain(text: string): string {
  if (parseName(text) !== null) return text;
  throw wrong("a domain, as example.test", text);
}

/** @param text a host's name, or `*.example.test` for all below it */
export function parseHostPattern(text: string): string {
  if (parseName(text.replace(/^\*\./, "")) !== null) return text;
  throw wrong("a host's name, or *.domain for all below it", text);
}

/** @returns a keytab name for the library, always with its type */
export function parseKeytab(text: string): string {
  const path = text.replace(/^FILE:/, "");
  if (!/^\/[^\0]+$/.test(path)) throw wrong("an absolute path or FILE: and an absolute path", text);
  return `FILE:${path}`;
}

/** A Unix socket's path; a longer one would be cut without a word (sockaddr_un, macOS has the shortest). */
export function parseSocketPath(text: string): string {
  if (isSocketPath(text)) return text;
  throw wrong(`an absolute path of at most ${LONGEST_SOCKET_PATH} octets`, text);
}

function isSocketPath(text: string): boolean {
  return /^\/[^\0]+$/.test(text) && Buffer.byteLength(text) <= LONGEST_SOCKET_PATH;
}

/** Of a user of the system, or `self`; a uid in quotes is a number all the same. */
export function parseUserName(text: string): string | number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (/^[^\s:,\0]{1,256}$/.test(text)) return text;
  throw wrong("a user's name or number, or self", text);
}

export function parsePath(text: string): string {
  if (/^\/[^\0]+$/.test(text)) return text;
  throw wrong("an absolute path", text);
}

/** Text of a shape, as it is. */
export function parseText(text: string, shape: RegExp, expected: string): string {
  if (shape.test(text)) return text;
  throw wrong(expected, text);
}

/** @returns the acceptor's name as it was written: the GSS-API library reads both forms */
export function parseTargetName(text: string): string {
  if (/^[A-Za-z0-9_-]+(?:@[A-Za-z0-9._-]+|\/[A-Za-z0-9._-]+@[^@/\s]+)$/.test(text)) return text;
  throw wrong("service@host or service/host@REALM, as rcmd@proxy.example.test", text);
}

/** @returns the mechanism's OID in dots */
export function parseMechanism(text: string): string {
  const oid = text.length <= 128 ? mechanismOid(text) : undefined;
  if (oid === undefined) throw wrong("krb5, spnego, iakerb, ntlmssp or an OID in dots", text);
  return oid;
}

function wrong(expected: string, found: string): UsageError {
  return new UsageError("BAD_VALUE", `expected ${expected}, found ${JSON.stringify(found)}`);
}
