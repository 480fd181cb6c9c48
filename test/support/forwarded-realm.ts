/** What every test of `gssocks forward` begins with: a realm, alice's ticket, a proxy, and her forwarder in front of it. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Forwarder } from "./forwarder.js";
import { proxiedRealm } from "./proxied-realm.js";
import type { LogLine, ProxyConfig, ProxyServer } from "./proxy.js";
import type { Realm, RealmOptions } from "./realm.js";
import { showOnFailure } from "./show-on-failure.js";

export interface ForwardedRealm {
  realm: Realm;
  proxy: ProxyServer;
  forwarder: Forwarder;
  /** The realm's, with the forwarder's ccache. */
  env: Readonly<Record<string, string | undefined>>;
}

export interface ForwardedOptions {
  config?: ProxyConfig;
  /** The forwarder's, in the realm's directory; default: alice's, with a ticket in it. */
  ccache?: string;
  realm?: RealmOptions;
}

export async function forwardedRealm(
  context: TestContext,
  { config = {}, ccache, realm: options = {} }: ForwardedOptions = {},
): Promise<ForwardedRealm> {
  const { realm, proxy } = await proxiedRealm(context, config, options);
  const name = ccache === undefined ? process.env.KRB5CCNAME : `FILE:${realm.dir}/${ccache}`;
  const env = { ...realm.env, KRB5CCNAME: name };
  const forwarder = await Forwarder.start(["--proxy", proxy.address], env);
  showOnFailure(context, () => forwarder.logs());
  context.after(() => forwarder.stop());
  return { realm, proxy, forwarder, env };
}

/**
 * The end of a session with `destination`, sealed on its way to the proxy by alice's ticket. How it ended is left to
 * the caller: programs that close with something unread, as a TLS server's last word, break the connection.
 */
export async function assertSealed(
  proxy: ProxyServer,
  destination: string,
  isNew: (line: LogLine) => boolean = () => true,
): Promise<LogLine> {
  const record = await proxy.audit((line) => isNew(line) && line.destination === destination);
  const { principal, level } = record;
  assert.deepEqual([principal, level], ["alice@EXAMPLE.TEST", "confidentiality"], destination);
  return record;
}
