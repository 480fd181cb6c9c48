/**
 * Destinations that reach the proxy's own host, its neighbours on the link or the cloud's metadata service. A rule
 * allows them only when its `to` names them, so that neither `allow: {}` nor a name that somebody's DNS points there
 * (DNS rebinding) opens them.
 */
import type { DestinationPattern } from "./destination-pattern.js";
import { embeddingsOf, type IpAddress, IpNetwork, parseIp } from "./ip-network.js";

/**
 * Tells whether `port` at `address` (canonical text, an IPv4-mapped address as IPv4) is a socket the proxy itself
 * listens on.
 */
export type IsOwnListener = (address: string, port: number) => boolean;

export type Protection =
  | { readonly kind: "own listener" }
  | { readonly kind: RangeKind; readonly range: IpNetwork };

type RangeKind = "loopback" | "link-local" | "cloud metadata" | "multicast" | "unspecified" | "broadcast";

export type ProtectedKind = Protection["kind"];

/** What a rule's `to` says for them; null is every one of them. A host of such a name is written with its final dot. */
export const PROTECTED_NAMES: ReadonlyMap<string, ProtectedKind | null> = new Map([
  ["protected", null],
  ["loopback", "loopback"],
  ["link-local", "link-local"],
  ["cloud-metadata", "cloud metadata"],
  ["multicast", "multicast"],
  ["unspecified", "unspecified"],
  ["broadcast", "broadcast"],
  ["own-listeners", "own listener"],
] as const);

const RANGES: readonly (readonly [RangeKind, string])[] = [
  ["loopback", "127.0.0.0/8"], // RFC 1122 §3.2.1.3
  ["loopback", "::1"], // RFC 4291 §2.5.3
  ["cloud metadata", "fd00:ec2::254"], // EC2
  ["link-local", "169.254.0.0/16"], // RFC 3927; 169.254.169.254 is the metadata service of most clouds
  ["link-local", "fe80::/10"], // RFC 4291 §2.5.6
  ["multicast", "224.0.0.0/4"], // RFC 5771
  ["multicast", "ff00::/8"], // RFC 4291 §2.7
  ["unspecified", "0.0.0.0/8"], // RFC 1122 §3.2.1.3: this host on this network
  ["unspecified", "::"], // RFC 4291 §2.5.2
  ["broadcast", "255.255.255.255"], // RFC 919 §7
];

/** The ranges above, then the IPv4 ones again inside the IPv6 prefixes that a translator or tunnel maps to them. */
const PROTECTED: readonly (Protection & { range: IpNetwork })[] = withEmbeddings(
  RANGES.map(([kind, text]) => ({ kind, range: IpNetwork.parse(text) })),
);

function withEmbeddings<T extends { range: IpNetwork }>(ranges: T[]): T[] {
  const ipv4 = ranges.filter(({ range }) => range.base.kind() === "ipv4");
  return [...ranges, ...ipv4.flatMap((row) => embeddingsOf(row.range).map((range) => ({ ...row, range })))];
}

/** Why the destination is protected, or null. */
export function protectionOf(
  address: IpAddress,
  port: number,
  isOwnListener: IsOwnListener,
): Protection | null {
  if (isOwnListener(address.toString(), port)) return { kind: "own listener" };
  return PROTECTED.find(({ range }) => range.contains(address)) ?? null;
}

/** Whether it is in a protected range of the kind: a listener of ours on 127.0.0.1 is at loopback, too. */
export function isIn(kind: RangeKind, address: IpAddress): boolean {
  return PROTECTED.some((row) => row.kind === kind && row.range.contains(address));
}

/** Whether the network has a protected address in it. */
export function holdsProtected(network: IpNetwork): boolean {
  return isWithinProtected(network) || PROTECTED.some(({ range }) => range.isWithin(network));
}

/** Whether the network lies wholly in a protected range, and so names it. */
export function isWithinProtected(network: IpNetwork): boolean {
  return PROTECTED.some(({ range }) => network.isWithin(range));
}

/**
 * Whether `entry`, which matches a protected destination, also names it. A range is named by its name, by an address or
 * network that lies wholly inside it, and loopback by `localhost`; an own listener only by `own-listeners` or by its
 * address and its very port.
 */
export function isNamedBy(entry: DestinationPattern, protection: Protection): boolean {
  if (entry.kind === "protected") return entry.of === null || entry.of === protection.kind;
  if (protection.kind === "own listener") {
    const { ports } = entry;
    return (
      entry.kind === "network" && entry.network.isSingleAddress && ports !== null && ports.low === ports.high
    );
  }
  if (entry.kind === "network") return entry.network.isWithin(protection.range);
  return entry.kind === "name" && entry.name === "localhost" && protection.kind === "loopback";
}

/**
 * Makes the test for the proxy's own listeners.
 * @param listeners the sockets that listen now
 * @param localAddresses every address of the host's interfaces; asked only where a wildcard listener has the port
 */
export function ownListenerTest(
  listeners: () => Iterable<{ readonly address: string; readonly port: number | null }>,
  localAddresses: () => Iterable<string>,
): IsOwnListener {
  return (address, port) => {
    const listening = [...listeners()]
      .filter((listener) => listener.port === port)
      .map(({ address }) => canonical(address));
    if (listening.length === 0) return false;
    const target = parseIp(address);
    // A connection to the unspecified address arrives at this host.
    if (target === null || isIn("unspecified", target) || listening.includes(target.toString())) return true;
    if (!listening.some((text) => text === "0.0.0.0" || text === "::")) return false;
    return (
      isIn("loopback", target) ||
      [...localAddresses()].some((local) => canonical(local) === target.toString())
    );
  };
}

function canonical(address: string): string {
  return parseIp(address.replace(/%.*$/, ""))?.toString() ?? address;
}
