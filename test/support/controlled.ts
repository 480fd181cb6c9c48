/** A realm and a proxy with a control socket. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { TestContext } from "node:test";
import { askServer } from "../../src/control/control-client.js";
import type { ReloadOutcome } from "../../src/server/reload-outcome.js";
import type { SessionInfo } from "../../src/server/session-info.js";
import { gssocks } from "./gssocks.js";
import type { Finished } from "./processes.js";
import { proxiedRealm } from "./proxied-realm.js";
import type { ProxyConfig, ProxyServer } from "./proxy.js";
import type { Realm } from "./realm.js";

export class Controlled {
  readonly realm: Realm;
  readonly proxy: ProxyServer;
  readonly socket: string;

  constructor(realm: Realm, proxy: ProxyServer, socket: string) {
    this.realm = realm;
    this.proxy = proxy;
    this.socket = socket;
  }

  /** By the command line, which is told of the configuration. */
  run(command: string, ...args: string[]): Promise<Finished> {
    return gssocks([command, "--config", this.proxy.file, ...args]);
  }

  /** Writes the configuration anew and has it taken. @throws ControlError */
  async reload(config: ProxyConfig): Promise<ReloadOutcome> {
    await this.proxy.rewrite(config);
    const { reload } = await askServer(this.socket, { ask: "reload" });
    return reload as ReloadOutcome;
  }

  async sessions(): Promise<SessionInfo[]> {
    const sessions: SessionInfo[] = [];
    await askServer(this.socket, { ask: "sessions" }, (item) => {
      if ("session" in item) sessions.push(item.session);
    });
    return sessions;
  }

  /** The one of this client, once `which` holds. */
  async session(client: string, which: (session: SessionInfo) => boolean = () => true): Promise<SessionInfo> {
    for (;;) {
      const found = (await this.sessions()).find((session) => session.client === client && which(session));
      if (found !== undefined) return found;
    }
  }
}

/** All of it is stopped when the test ends. Without a drain time clients that are still there don't keep the server. */
export async function controlled(
  context: TestContext,
  config: ProxyConfig | ((realm: Realm) => ProxyConfig | Promise<ProxyConfig>) = {},
): Promise<Controlled> {
  let socket = "";
  const { realm, proxy } = await proxiedRealm(context, async (realm) => {
    const directory = path.join(realm.dir, "run");
    await mkdir(directory, { mode: 0o755 });
    socket = path.join(directory, "control");
    const own = typeof config === "function" ? await config(realm) : config;
    return { control: { socket }, timeouts: { drain: "0s" }, ...own };
  });
  return new Controlled(realm, proxy, socket);
}
