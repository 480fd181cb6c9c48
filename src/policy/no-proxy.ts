/**
 * The list of `no_proxy`: what goes without the proxy. As Go (golang.org/x/net/http/httpproxy) and curl read
 * it; where they differ, what is in doubt goes through the proxy:
 *
 *     example.test              that name and all below it
 *     .example.test             all below it (curl: and the name itself)
 *     *.example.test            the same
 *     10.0.0.0/8, ::1, [::1]    addresses, where the destination is given as one: no name is looked up
 *     host:8080, [::1]:8080     that port alone
 *     <local>                   names without a dot (Windows)
 *     *                         everything
 */
import { UsageError } from "../errors.js";
import { isLocalName, parseName } from "./destination-name.js";
import { type DestinationPattern, parseDestinationPattern } from "./destination-pattern.js";
import { parseIp } from "./ip-network.js";

export interface NoProxy {
  /** As they were written. */
  readonly entries: readonly string[];
  readonly all: boolean;
  /** As those of a rule's `to`, with their texts. None of them is a protected destination by its name. */
  readonly patterns: readonly DestinationPattern[];
}

/** @throws UsageError (BAD_NETWORK, BAD_DESTINATION) that names the entry */
export function parseNoProxy(text: string): NoProxy {
  const entries = text.split(/[,\s]+/).filter((entry) => entry !== "");
  return {
    entries,
    all: entries.includes("*"),
    patterns: entries.filter((entry) => entry !== "*").flatMap(patternsOf),
  };
}

function patternsOf(entry: string): DestinationPattern[] {
  const pattern = parseDestinationPattern(entry.replace(/^\./, "*."));
  if (pattern.kind === "protected") {
    const expected = "a name with a final dot, for names of this kind mean something else in rules";
    throw new UsageError("BAD_DESTINATION", `expected ${expected}, found ${JSON.stringify(entry)}`);
  }
  return pattern.kind === "name" ? [pattern, parseDestinationPattern(`*.${entry}`)] : [pattern];
}

/** @param host a name or an address as a client asks for it, IPv6 with brackets or without */
export function goesDirect({ all, patterns }: NoProxy, host: string, port: number): boolean {
  if (all) return true;
  const bare = /^\[(.*)\]$/s.exec(host)?.[1] ?? host;
  const ip = parseIp(bare);
  const name = ip === null ? parseName(bare) : null;
  return patterns.some((pattern) => {
    const { ports } = pattern;
    if (ports !== null && (port < ports.low || port > ports.high)) return false;
    if (pattern.kind === "network") return ip !== null && pattern.network.contains(ip);
    if (pattern.kind === "local") return name !== null && isLocalName(name);
    if (pattern.kind === "name") return name === pattern.name;
    return pattern.kind === "suffix" && (name?.endsWith(pattern.suffix) ?? false);
  });
}
