import { encodeEndpoint, parseHost } from "./address.js";

/** What is one source for penalties and guesses: an IPv6 host has the whole of its /64 to choose addresses from. */
export function sourceNetwork(address: string): string {
  const host = parseHost(address);
  if (host.kind === "domain") return host.name;
  return host.kind === "ipv4" ? host.address : encodeEndpoint({ host, port: 0 }).toString("hex", 1, 9);
}
