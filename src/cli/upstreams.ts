/** The configuration's upstreams, as the server takes them. */
import type { Opened } from "../client/handshake.js";
import { Ticket } from "../client/ticket.js";
import { type Asking, type ThroughOptions, Upstream, type Used } from "../client/upstream.js";
import type { Config } from "../config/schema.js";
import type { UpstreamConfig } from "../config/upstreams.js";
import type { Observer } from "../observability/events.js";
import { parseHost } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import type { ServerOptions } from "../server/server.js";
import { NotDelegatedError, type Through, type UpstreamAsking, type Upstreams } from "../server/upstream.js";
import { fileContents, firstLineOf } from "./file-contents.js";

export function upstreamsOf({ upstreams }: Config, observer: Observer): ServerOptions["upstreams"] {
  const configured = Object.entries(upstreams);
  return configured.length === 0 ? null : () => opened(configured, observer);
}

function opened(configured: readonly [string, UpstreamConfig][], observer: Observer): Upstreams {
  const all = new Map(
    configured.map(([name, config]) => [name, { config, upstream: upstreamOf(name, config, observer) }]),
  );
  const asked = (name: string, asking: UpstreamAsking) => {
    const { config, upstream } = all.get(name) as { config: UpstreamConfig; upstream: Upstream };
    return { upstream, asking: askingOf(name, config, asking) };
  };
  return {
    connect: async (name, dst, by) => {
      const { upstream, asking } = asked(name, by);
      return through(await upstream.open({ cmd: CMD.CONNECT, dst }, asking));
    },
    bind: async (name, dst, by) => {
      const { upstream, asking } = asked(name, by);
      const { bnd, peer, close, carries, over } = await upstream.bind({ dst }, asking);
      return { bnd, peer: peer.then((opened) => through({ ...opened, carries, over })), close };
    },
    associate: async (name, by, heard) => {
      const { upstream, asking } = asked(name, by);
      const association = await upstream.associate(asking);
      association
        .on("message", (data, { host, port }) => heard.message(data, { host: parseHost(host), port }))
        .once("close", () => heard.closed());
      return {
        send: (data, { host, port }) =>
          association.send(data, { host: host.kind === "domain" ? host.name : host.address, port }),
        close: () => association.close(),
      };
    },
    status: () => [...all.values()].map(({ upstream }) => statusOf(upstream)),
    ticket: async (name) => {
      const { config, upstream } = all.get(name) ?? {};
      const own = config?.method === "gssapi" && config.gssapi.credential === "own";
      return own && upstream !== undefined ? upstream.ticket.status() : null;
    },
    close: () => {
      for (const { upstream } of all.values()) upstream.close();
    },
  };
}

function upstreamOf(name: string, config: UpstreamConfig, observer: Observer): Upstream {
  const { proxies, srv, trusted, order, protocol, method, user, sendClearTextPassword, gssapi, tls } = config;
  const { protectionLevels, service, nec, mechanism, credential } = gssapi;
  const { ccache, clientKeytab, principal } = gssapi;
  const through: ThroughOptions = {
    protocol,
    methods: [method],
    ...(user === undefined ? {} : { username: user.name, password: firstLineOf(user.file) }),
    sendClearTextPassword,
    levels: protectionLevels as [ProtectionLevel, ...ProtectionLevel[]],
    ...(service === undefined ? {} : { service }),
    nec,
    delegate: credential === "delegated",
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ca: tls.authorities === undefined ? undefined : fileContents(tls.authorities),
            pin: tls.pin,
            servername: tls.name,
            channelBindings: tls.channelBindings,
          },
        }),
  };
  return new Upstream({
    name,
    ...(proxies === undefined
      ? {}
      : {
          proxies: proxies.map(({ targetName, ...proxy }) =>
            targetName === undefined ? proxy : { ...proxy, targetName },
          ),
        }),
    ...(srv === undefined ? {} : { srv, trusted }),
    order,
    through,
    ticket: new Ticket({ ccache, clientKeytab, principal }, observer),
    observer,
  });
}

function statusOf(upstream: Upstream): ReturnType<Upstreams["status"]>[number] {
  const { name, order, srv, proxies } = upstream.status();
  return {
    upstream: name,
    pid: process.pid,
    order,
    srv,
    proxies: proxies.map(({ address, octets, ...proxy }) => ({
      proxy: address,
      ...proxy,
      bytesUp: octets.up,
      bytesDown: octets.down,
    })),
  };
}

function askingOf(
  name: string,
  { method, gssapi: { credential } }: UpstreamConfig,
  { delegated, hops, signal }: UpstreamAsking,
): Asking {
  const asking = { hops: hops + 1, signal };
  if (method !== "gssapi" || credential === "own") return asking;
  const { credential: theirs, failure } = delegated;
  // What the KDC gives us is for where the configuration says so.
  if (credential === "constrained" && theirs === null) throw NotDelegatedError.noEvidence(name, failure);
  if (theirs === null || (credential === "delegated" && theirs.impersonation !== null))
    throw NotDelegatedError.nothing(name);
  return { ...asking, credential: theirs };
}

function through(opened: Opened & Pick<Used, "carries" | "over">): Through {
  const { socket, protection, context, rest, session, carries, over } = opened;
  return {
    socket,
    protection,
    early: rest,
    bnd: session.bnd,
    carries,
    close: () => {
      protection.close();
      context?.close();
      over();
    },
  };
}
