/** How a server fares within: asked from outside, since the server itself has no such option. */
import type { ProxyServer } from "../../support/proxy.js";

/** What a server loads first (NODE_OPTIONS=--import) so that it can be asked. */
export const PROBE = new URL("./preloaded-probe.js", import.meta.url).href;

export interface Probed {
  /** How late the event loop was, in milliseconds, since it was asked last. */
  delay: { p50: number; p99: number; max: number };
  /** Octets, what can be collected being collected. */
  heap: number;
  external: number;
}

const asked = new WeakMap<ProxyServer, number>();

/** @param server one process, with {@link PROBE} in it */
export async function probe(server: ProxyServer): Promise<Probed> {
  const count = (asked.get(server) ?? 0) + 1;
  asked.set(server, count);
  server.signal("SIGUSR2");
  const line = await server.waitForLog((each) => each.msg === "probe" && each.count === count);
  return line as unknown as Probed;
}
