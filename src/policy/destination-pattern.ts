/**
 * One entry of a rule's `to`: an address, a network, a name, `*.suffix`, `<local>` or a name for protected destinations, each
 * with an optional port or port range.
 */
import { UsageError } from "../errors.js";
import { isAscii, looksLikeAddress, parseName } from "./destination-name.js";
import { IpNetwork } from "./ip-network.js";
import { PROTECTED_NAMES, type ProtectedKind } from "./protected-destinations.js";

export interface PortRange {
  readonly low: number;
  readonly high: number;
}

export type DestinationPattern = {
  /** As it was written. */
  readonly text: string;
  /** null: every port. */
  readonly ports: PortRange | null;
} & (
  | { readonly kind: "network"; readonly network: IpNetwork }
  | { readonly kind: "name"; readonly name: string }
  /** `suffix` begins with its dot, so that the apex does not match. */
  | { readonly kind: "suffix"; readonly suffix: string }
  /** Names without a dot, as Windows' `<local>` has them. */
  | { readonly kind: "local" }
  /** null: of every kind. */
  | { readonly kind: "protected"; readonly of: ProtectedKind | null }
);

/**
 * @param text `10.0.0.1`, `10.0.0.0/8:443`, `[2001:db8::/32]:1-1023`, `db.example.test:5432`, `*.example.test`,
 *   `<local>`, `loopback:8080`
 * @throws UsageError (BAD_NETWORK, BAD_DESTINATION) that says what was expected
 */
export function parseDestinationPattern(text: string): DestinationPattern {
  const { host, ports } = split(text);
  const range = ports === null ? null : parsePorts(ports, text);
  if (host.includes(":") || host.includes("/") || /^\d+\.\d+\.\d+\.\d+$/.test(host)) {
    return { kind: "network", network: IpNetwork.parse(host), ports: range, text };
  }
  if (host.toLowerCase() === "<local>") return { kind: "local", ports: range, text };
  const of = PROTECTED_NAMES.get(host.toLowerCase());
  if (of !== undefined) return { kind: "protected", of, ports: range, text };
  const isSuffix = host.startsWith("*.");
  const name = parseName(isSuffix ? host.slice(2) : host);
  if (name === null) throw bad(text, host);
  if (looksLikeAddress(name)) {
    throw new UsageError(
      "BAD_DESTINATION",
      `expected an IPv4 address as four decimal numbers, found ${quote(host)}`,
    );
  }
  return isSuffix
    ? { kind: "suffix", suffix: `.${name}`, ports: range, text }
    : { kind: "name", name, ports: range, text };
}

/** Brackets, or at most one colon, tell the host from the port. */
function split(text: string): { host: string; ports: string | null } {
  const bracketed = /^\[([^[\]]*)\](?::(.*))?$/s.exec(text);
  if (bracketed !== null) {
    const [, host = "", ports = null] = bracketed;
    if (!host.includes(":"))
      throw new UsageError("BAD_DESTINATION", `expected an IPv6 address in brackets, found ${quote(text)}`);
    return { host, ports };
  }
  const colon = text.indexOf(":");
  if (colon === -1 || colon !== text.lastIndexOf(":")) return { host: text, ports: null };
  return { host: text.slice(0, colon), ports: text.slice(colon + 1) };
}

function parsePorts(ports: string, text: string): PortRange {
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(ports) ?? [];
  const low = Number(first);
  const high = Number(last);
  if (low >= 1 && low <= high && high <= 0xffff) return { low, high };
  throw new UsageError(
    "BAD_DESTINATION",
    `expected a port from 1 to 65535, or a range as 8000-8080, found ${quote(ports)} in ${quote(text)}`,
  );
}

function bad(text: string, host: string): UsageError {
  let expected = "an address, a network, a name or *.suffix, each with an optional :port or :low-high";
  if (host === "*") expected = "a name or *.suffix (leave `to` out to match every destination)";
  else if (!isAscii(host)) expected = "an ASCII name (write an international name in its xn-- form)";
  else if (host.includes("*")) expected = "a * only as the whole first label, as *.example.test";
  return new UsageError("BAD_DESTINATION", `expected ${expected}, found ${quote(text)}`);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
