/** Proxies one behind the other: each leads everything to the next, and the last to the destination. */
import type { TestContext } from "node:test";
import { proxiedRealm } from "./proxied-realm.js";
import { type ProxyConfig, ProxyServer } from "./proxy.js";
import type { Realm } from "./realm.js";
import { showOnFailure } from "./show-on-failure.js";

/** Every destination of the tests, for a rule that leads elsewhere. */
export const EVERYTHING = { to: ["127.0.0.0/8", "::1", "localhost", "nowhere.example.test", "protected"] };

export interface Chain {
  realm: Realm;
  /** The first is the one that clients come to. */
  proxies: readonly [ProxyServer, ...ProxyServer[]];
  last: ProxyServer;
}

/**
 * alice's ticket is in this process, and is what proxies use that have none of their own.
 * @param upstreams what each says of the next one, but for its address; the first is the first proxy's
 * @param last the last one's configuration
 * @param entry what the first one's has beside
 */
export async function chainOf(
  context: TestContext,
  upstreams: readonly Record<string, unknown>[],
  last: ProxyConfig = {},
  entry: ProxyConfig = {},
): Promise<Chain> {
  const { realm, proxy } = await proxiedRealm(context, last);
  const proxies: [ProxyServer, ...ProxyServer[]] = [proxy];
  for (const [index, upstream] of [...upstreams.entries()].reverse()) {
    const next = await ProxyServer.start(realm, {
      upstreams: { next: { proxies: [proxies[0].address], ...upstream } },
      rules: [{ allow: EVERYTHING, via: "next" }],
      ...(index === 0 ? entry : {}),
    });
    showOnFailure(context, async () => next.logs());
    context.after(() => next.stop());
    proxies.unshift(next);
  }
  return { realm, proxies, last: proxy };
}
