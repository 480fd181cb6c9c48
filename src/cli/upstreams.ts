/** The configuration's upstreams, as the server takes them. */
import { type Opened, openThrough, type ProxyOptions } from "../client/handshake.js";
import type { Config } from "../config/schema.js";
import type { UpstreamConfig } from "../config/upstreams.js";
import { CMD } from "../protocol/constants.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import type { ServerOptions } from "../server/server.js";
import { NO_UPSTREAMS, type Through, type Upstreams } from "../server/upstream.js";

export function upstreamsOf({ upstreams }: Config): ServerOptions["upstreams"] {
  if (Object.keys(upstreams).length === 0) return null;
  return (): Upstreams => ({
    connect: async (name, dst, { signal }) => {
      const upstream = upstreams[name];
      if (upstream === undefined)
        return NO_UPSTREAMS.connect(name, dst, { delegated: null, hops: 0, signal });
      const opened = await openThrough({ ...proxyOptions(upstream), signal }, { cmd: CMD.CONNECT, dst });
      return through(opened);
    },
    close: () => {},
  });
}

function proxyOptions({ proxies = [], gssapi }: UpstreamConfig): ProxyOptions {
  const [proxy] = proxies;
  if (proxy === undefined) throw new Error("an upstream without proxies");
  const { protectionLevels, service, nec } = gssapi;
  return { proxy, levels: protectionLevels as [ProtectionLevel, ...ProtectionLevel[]], service, nec };
}

function through({ socket, protection, context, rest, session }: Opened): Through {
  return {
    socket,
    protection,
    early: rest,
    bnd: session.bnd,
    close: () => {
      protection.close();
      context?.close();
    },
  };
}
