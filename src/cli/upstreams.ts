/** The configuration's upstreams, as the server takes them. */
import { readFileSync } from "node:fs";
import { bindThrough, type Opened, openThrough, type ProxyOptions } from "../client/handshake.js";
import { udpAssociate } from "../client/socks-client.js";
import type { Config } from "../config/schema.js";
import type { UpstreamConfig } from "../config/upstreams.js";
import { ConfigError } from "../errors.js";
import { parseHost } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import type { ServerOptions } from "../server/server.js";
import { NotDelegatedError, type Through, type UpstreamAsking, type Upstreams } from "../server/upstream.js";

export function upstreamsOf({ upstreams }: Config): ServerOptions["upstreams"] {
  const configured = new Map(Object.entries(upstreams));
  return configured.size === 0 ? null : () => opened(configured);
}

function opened(upstreams: ReadonlyMap<string, UpstreamConfig>): Upstreams {
  const optionsOf = (name: string, asking: UpstreamAsking) =>
    proxyOptions(name, upstreams.get(name) as UpstreamConfig, asking);
  return {
    connect: async (name, dst, asking) =>
      through(await openThrough(optionsOf(name, asking), { cmd: CMD.CONNECT, dst })),
    bind: async (name, dst, asking) => {
      const { bnd, peer, close } = await bindThrough(optionsOf(name, asking), { dst });
      return { bnd, peer: peer.then(through), close };
    },
    associate: async (name, asking, heard) => {
      const association = await udpAssociate(optionsOf(name, asking));
      association
        .on("message", (data, { host, port }) => heard.message(data, { host: parseHost(host), port }))
        .once("close", () => heard.closed());
      return {
        send: (data, { host, port }) =>
          association.send(data, { host: host.kind === "domain" ? host.name : host.address, port }),
        close: () => association.close(),
      };
    },
    close: () => {},
  };
}

function proxyOptions(
  name: string,
  { proxies = [], protocol, method, user, gssapi, tls }: UpstreamConfig,
  { delegated, hops, signal }: UpstreamAsking,
): ProxyOptions {
  const [proxy] = proxies;
  if (proxy === undefined) throw new Error("an upstream without proxies");
  const { protectionLevels, service, nec, mechanism, credential } = gssapi;
  if (method === "gssapi" && credential === "delegated" && delegated === null)
    throw new NotDelegatedError(name);
  return {
    proxy,
    protocol,
    methods: [method],
    ...(user === undefined ? {} : { username: user.name, password: firstLine(user.file) }),
    levels: protectionLevels as [ProtectionLevel, ...ProtectionLevel[]],
    service,
    nec,
    hops: hops + 1,
    signal,
    ...(proxy.targetName === undefined ? {} : { targetName: proxy.targetName }),
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(credential === "delegated" && delegated !== null ? { credential: delegated, delegate: true } : {}),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ca: tls.authorities === undefined ? undefined : readFileSync(tls.authorities),
            pin: tls.pin,
            servername: tls.name,
            channelBindings: tls.channelBindings,
          },
        }),
  };
}

/** @throws ConfigError */
function firstLine(file: string): string {
  try {
    return readFileSync(file, "utf8").split("\n", 1)[0] as string;
  } catch (error) {
    throw new ConfigError(file, [{ path: "", message: `cannot be read: ${(error as Error).message}` }]);
  }
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
