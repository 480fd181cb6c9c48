/**
 * A proxy auto-configuration: the function FindProxyForURL(url, host) that browsers ask where to send a request. It looks
 * nothing up in DNS: a browser would send the names past the proxy. What is refused, the proxy refuses, and says why.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { DestinationPattern } from "../policy/destination-pattern.js";
import type { IpNetwork } from "../policy/ip-network.js";
import type { NoProxy } from "../policy/no-proxy.js";
import { formatEndpoint, parseHost } from "../protocol/address.js";

export interface PacProxy {
  readonly kind: "PROXY" | "HTTPS" | "SOCKS5" | "SOCKS";
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
}

export interface PacRouting {
  readonly direct: NoProxy;
  /** In the order in which browsers are to try them. */
  readonly proxies: readonly PacProxy[];
}

/** What a listener serves. */
export interface PacOptions extends Pick<PacRouting, "direct"> {
  /** null: the address at which browsers have asked for it. */
  readonly proxies: readonly PacProxy[] | null;
}

/** @returns null where there is no address to tell, as at a Unix socket */
export function pacFor({ direct, proxies }: PacOptions, client: Socket): string | null {
  if (proxies !== null) return proxyAutoConfiguration({ direct, proxies });
  const { localAddress, localPort } = client;
  if (localAddress === undefined || localPort === undefined) return null;
  const kind = client instanceof TLSSocket ? "HTTPS" : "PROXY";
  const address = formatEndpoint({ host: parseHost(localAddress), port: localPort });
  return proxyAutoConfiguration({ direct, proxies: [{ kind, address }] });
}

/** In what every JavaScript engine reads, the oldest that programs have for PAC files too. */
export function proxyAutoConfiguration({ direct, proxies }: PacRouting): string {
  const through = proxies.map(({ kind, address }) => `${kind} ${address}`).join("; ");
  const conditions = direct.all ? ["true"] : direct.patterns.map(conditionOf);
  const lines = conditions.map((condition) => `  if (${condition}) return "DIRECT";\n`);
  return `${FUNCTIONS}
function FindProxyForURL(url, host) {
  var name = host.toLowerCase().replace(/^\\[|\\]$/g, "").replace(/\\.$/, "");
  var port = portOf(url);
  var bits = bitsOf(name);
${lines.join("")}  return ${JSON.stringify(through)};
}
`;
}

function conditionOf(pattern: DestinationPattern): string {
  const { ports } = pattern;
  const host = hostCondition(pattern);
  return ports === null ? host : `port >= ${ports.low} && port <= ${ports.high} && ${host}`;
}

function hostCondition(pattern: DestinationPattern): string {
  switch (pattern.kind) {
    case "name":
      return `name === ${JSON.stringify(pattern.name)}`;
    case "suffix":
      return `endsWith(name, ${JSON.stringify(pattern.suffix)})`;
    case "local":
      return "isLocal(name)";
    case "network":
      return `isIn(bits, ${JSON.stringify(prefixOf(pattern.network))}, ${bitsIn(pattern.network)})`;
    case "protected":
      return "false";
  }
}

/** The bits that all its addresses begin with. */
function prefixOf({ base, prefix }: IpNetwork): string {
  const bits = base.toByteArray().map((octet) => octet.toString(2).padStart(8, "0"));
  return bits.join("").slice(0, prefix);
}

function bitsIn({ base }: IpNetwork): number {
  return base.kind() === "ipv4" ? 32 : 128;
}

/** An IPv4-mapped address is the IPv4 address it stands for. */
const FUNCTIONS = `function portOf(url) {
  var parts = /^([a-z]+):\\/\\/(?:[^\\/?#@]*@)?(?:\\[[^\\]]*\\]|[^:\\/?#]*)(?::([0-9]+))?/i.exec(url);
  if (!parts) return 0;
  if (parts[2]) return parseInt(parts[2], 10);
  return { http: 80, ws: 80, https: 443, wss: 443, ftp: 21 }[parts[1].toLowerCase()] || 0;
}

function endsWith(name, suffix) {
  var at = name.length - suffix.length;
  return at > 0 && name.indexOf(suffix, at) === at;
}

function isLocal(name) {
  return /^[a-z0-9_-]+$/.test(name) && !/^([0-9]+|0x[0-9a-f]*)$/.test(name);
}

function binary(number, width) {
  var text = number.toString(2);
  while (text.length < width) text = "0" + text;
  return text;
}

function bitsOf(name) {
  var i, parts, bits = "", halves, groups, missing;
  if (/^([0-9]{1,3}\\.){3}[0-9]{1,3}$/.test(name)) {
    parts = name.split(".");
    for (i = 0; i < 4; i++) {
      if (parts[i] > 255) return null;
      bits += binary(parseInt(parts[i], 10), 8);
    }
    return bits;
  }
  if (name.indexOf(":") < 0) return null;
  parts = /^(.*:)([0-9.]+\\.[0-9.]+)$/.exec(name);
  if (parts) {
    bits = bitsOf(parts[2]);
    if (bits === null) return null;
    name = parts[1] + parseInt(bits.slice(0, 16), 2).toString(16) + ":" + parseInt(bits.slice(16), 2).toString(16);
  }
  halves = name.split("::");
  if (halves.length > 2) return null;
  groups = halves[0] ? halves[0].split(":") : [];
  if (halves.length === 2) {
    parts = halves[1] ? halves[1].split(":") : [];
    missing = 8 - groups.length - parts.length;
    for (i = 0; i < missing; i++) groups.push("0");
    groups = groups.concat(parts);
  }
  if (groups.length !== 8) return null;
  bits = "";
  for (i = 0; i < 8; i++) {
    if (!/^[0-9a-f]{1,4}$/.test(groups[i])) return null;
    bits += binary(parseInt(groups[i], 16), 16);
  }
  return /^0{80}1{16}/.test(bits) ? bits.slice(96) : bits;
}

function isIn(bits, prefix, length) {
  return bits !== null && bits.length === length && bits.indexOf(prefix) === 0;
}
`;
