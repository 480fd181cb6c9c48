/**
 * IP addresses and networks as rules see them. Only the strict text forms are addresses here: what getaddrinfo takes
 * besides (`127.1`, `0x7f000001`) stays a name until the resolver has turned it into an address.
 */
import ipaddr from "ipaddr.js";
import { UsageError } from "../errors.js";
import { isIpv4 } from "../protocol/address.js";

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;

/** @returns the address, an IPv4-mapped one as the IPv4 address it stands for; null where `text` is none */
export function parseIp(text: string): IpAddress | null {
  // Every session comes by here: ipaddr.js tries five notations for what is sure to be one.
  const address = isIpv4(text) ? new ipaddr.IPv4(text.split(".").map(Number)) : parseIpv6(text);
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** A network; a single address is the network of full length. */
export class IpNetwork {
  readonly base: IpAddress;
  readonly prefix: number;

  constructor(base: IpAddress, prefix: number) {
    this.base = base;
    this.prefix = prefix;
  }

  /** @throws UsageError (BAD_NETWORK) that says what is wrong with `text` */
  static parse(text: string): IpNetwork {
    const [address = "", length, ...rest] = text.split("/");
    const raw = ipaddr.IPv4.isValidFourPartDecimal(address) ? ipaddr.IPv4.parse(address) : parseIpv6(address);
    if (raw === null || rest.length > 0) throw bad(text, "an IP address or a network as 10.0.0.0/8");
    const bits = bitsOf(raw);
    const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
    if (!(prefix <= bits)) throw bad(text, `a prefix length from 0 to ${bits}`);
    const network = withoutMapping(raw, prefix);
    if (network.first().toString() !== network.base.toString()) {
      throw bad(text, `a network without host bits: ${network.first()}/${network.prefix}`);
    }
    return network;
  }

  contains(address: IpAddress): boolean {
    return address.kind() === this.base.kind() && address.match([this.base, this.prefix]);
  }

  /** Whether all of this network lies in `other`. */
  isWithin(other: IpNetwork): boolean {
    return this.prefix >= other.prefix && other.contains(this.base);
  }

  get isSingleAddress(): boolean {
    return this.prefix === bitsOf(this.base);
  }

  toString(): string {
    return this.isSingleAddress ? this.base.toString() : `${this.base}/${this.prefix}`;
  }

  private first(): IpAddress {
    const text = `${this.base}/${this.prefix}`;
    return this.base instanceof ipaddr.IPv4
      ? ipaddr.IPv4.networkAddressFromCIDR(text)
      : ipaddr.IPv6.networkAddressFromCIDR(text);
  }
}

/** IPv6 prefixes right behind which an IPv4 address stands. */
const EMBEDDINGS: readonly IpNetwork[] = [
  "64:ff9b::/96", // NAT64, RFC 6052 §2.1
  "2002::/16", // 6to4, RFC 3056 §2
  "::/96", // IPv4-compatible, RFC 4291 §2.5.5.1
  "::ffff:0:0:0/96", // IPv4-translated, RFC 2765 §2.1
].map((text) => IpNetwork.parse(text));

/** `::` and `::1`, which only look IPv4-compatible. */
const NOT_EMBEDDING = IpNetwork.parse("::/127");

/** The IPv4 address that a translator or tunnel would send to. */
export function embeddedIpv4(address: IpAddress): ipaddr.IPv4 | null {
  const found = EMBEDDINGS.find((network) => network.contains(address));
  if (found === undefined || NOT_EMBEDDING.contains(address)) return null;
  const at = found.prefix / 8;
  return new ipaddr.IPv4(address.toByteArray().slice(at, at + 4));
}

/** The IPv6 networks in which `network`, an IPv4 one, is embedded. */
export function embeddingsOf(network: IpNetwork): IpNetwork[] {
  return EMBEDDINGS.map(({ base, prefix }) => {
    const octets = base.toByteArray();
    octets.splice(prefix / 8, 4, ...network.base.toByteArray());
    return new IpNetwork(ipaddr.fromByteArray(octets), prefix + network.prefix);
  });
}

/** ipaddr.js reads octal and hexadecimal in a dotted tail and takes `::1.2.3.4` for a mapped address: not here. */
function parseIpv6(text: string): ipaddr.IPv6 | null {
  if (!text.includes(":") || text.includes("%")) return null;
  const plain = text.replace(/[^:]*\.[^:]*$/, (tail) => {
    if (!ipaddr.IPv4.isValidFourPartDecimal(tail)) return "not-hex";
    const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(tail).octets;
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  return ipaddr.IPv6.isValid(plain) ? ipaddr.IPv6.parse(plain) : null;
}

function withoutMapping(address: IpAddress, prefix: number): IpNetwork {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && prefix >= 96
    ? new IpNetwork(address.toIPv4Address(), prefix - 96)
    : new IpNetwork(address, prefix);
}

function bitsOf(address: IpAddress): number {
  return address.kind() === "ipv4" ? 32 : 128;
}

function bad(found: string, expected: string): UsageError {
  return new UsageError("BAD_NETWORK", `expected ${expected}, found ${JSON.stringify(found)}`);
}
