/** What nearly every integration test begins with: a realm, alice's ticket in this process, and a proxy. */
import type { TestContext } from "node:test";
import { type ProxyConfig, ProxyServer } from "./proxy.js";
import { Realm, type RealmOptions } from "./realm.js";
import { showOnFailure } from "./show-on-failure.js";

/**
 * All of it is stopped when the test ends; the logs are shown if it failed.
 * @param config of the proxy; the realm is there when the function is called
 */
export async function proxiedRealm(
  context: TestContext,
  config: ProxyConfig | ((realm: Realm) => ProxyConfig | Promise<ProxyConfig>) = {},
  options: RealmOptions = {},
): Promise<{ realm: Realm; proxy: ProxyServer }> {
  const realm = await Realm.start(options);
  let proxy: ProxyServer | null = null;
  // Hooks run in this order.
  showOnFailure(context, async () => `${proxy?.logs() ?? ""}${await realm.logs()}`);
  context.after(async () => {
    await proxy?.stop();
    await realm.stop();
  });
  realm.enter(await realm.kinit("alice"));
  proxy = await ProxyServer.start(realm, typeof config === "function" ? await config(realm) : config);
  return { realm, proxy };
}
