/** What a program asks a proxy for: a connection to a destination or from a peer, or an association for datagrams. */
import { createSocket } from "node:dgram";
import { GSS_C_SEQUENCE_FLAG } from "../gss/flags.js";
import { parseHost, UNSPECIFIED } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import { CLEAR_DATAGRAMS, ContextDatagramProtection } from "../relay/datagram-protection.js";
import { ContextProtection } from "../relay/message-protection.js";
import { aborted, onAbort } from "./abort.js";
import { bindThrough, openThrough } from "./handshake.js";
import type { HostPort, Opened, ProxyOptions } from "./proxy-options.js";
import { ProxyStream } from "./proxy-stream.js";
import { UdpAssociation } from "./udp-association.js";

export interface ConnectOptions extends ProxyOptions {
  /** Where the proxy is to connect to; a name is resolved there. */
  destination: HostPort;
}

export interface BindOptions extends ProxyOptions {
  /** Who is expected. Proxies let in its address from any port, and decide by it; `0.0.0.0` is anybody. */
  peer: HostPort;
  /** Milliseconds that the peer may take once the proxy waits; as long as the proxy waits where absent. */
  peerTimeout?: number;
}

/** A port of the proxy's that waits for one connection. */
export interface ProxyBinding {
  /** Where the peer is to connect to. */
  bnd: HostPort;
  /** Once the peer has connected; its `session.bnd` tells from where. */
  accepted: Promise<ProxyStream>;
  /** Ends the wait: `accepted` is rejected. Nothing where it has ended. */
  close(): void;
}

/**
 * Connects, authenticates, agrees on a protection level and has the proxy connect on.
 * @returns a Duplex of plain octets; its `session` tells what was agreed
 * @throws NetworkError (the proxy or the destination can't be reached), GssError (no ticket, expired, unknown name …),
 *   PolicyError (LEVEL_REFUSED, RULE_DENIED, NO_ACCEPTABLE_METHOD), PeerError (the proxy breaks the protocol)
 */
export async function connect({ destination, ...options }: ConnectOptions): Promise<ProxyStream> {
  const dst = { host: parseHost(destination.host), port: destination.port };
  return streamOf(await openThrough(options, { cmd: CMD.CONNECT, dst }), options);
}

/**
 * Has the proxy wait for one connection from the peer (RFC 1928 §6, BIND). The signal ends the wait, too, and the stream.
 * @throws as {@link connect}; `accepted`: NetworkError (NOBODY_CONNECTED, TIMEOUT, ABORTED, CONNECTION_LOST), PeerError
 */
export async function bind({ peer, peerTimeout, ...options }: BindOptions): Promise<ProxyBinding> {
  const dst = { host: parseHost(peer.host), port: peer.port };
  const bound = await bindThrough(options, peerTimeout === undefined ? { dst } : { dst, peerTimeout });
  const { host, port } = bound.bnd;
  const accepted = bound.peer.then((opened) => streamOf(opened, options));
  accepted.catch(() => {});
  const address = host.kind === "domain" ? host.name : host.address;
  return { bnd: { host: address, port }, accepted, close: () => bound.close() };
}

/** Takes over what was opened; the signal ends it from now on. */
function streamOf(opened: Opened, { signal }: ProxyOptions): ProxyStream {
  const stream = new ProxyStream(opened);
  if (signal?.aborted) {
    stream.destroy();
    throw aborted(signal);
  }
  return stream.once(
    "close",
    onAbort(signal, (error) => stream.destroy(error)),
  );
}

/**
 * Opens an association for datagrams (RFC 1928 §7), under the level that is agreed.
 * @returns it lives until it is closed, or the proxy ends it (`close`)
 * @throws as {@link connect}
 */
export async function udpAssociate(options: ProxyOptions): Promise<UdpAssociation> {
  // RFC 1961 §3.2: datagrams come in any order.
  const wanted = { cmd: CMD.UDP_ASSOCIATE, dst: UNSPECIFIED, withoutFlags: GSS_C_SEQUENCE_FLAG };
  const { signal } = options;
  const association = await associationOf(await openThrough(options, wanted));
  if (signal?.aborted) {
    association.close();
    throw aborted(signal);
  }
  return association.once(
    "close",
    onAbort(signal, (error) => association.abort(error)),
  );
}

/** Takes over what was opened. */
async function associationOf(opened: Opened): Promise<UdpAssociation> {
  const { socket: control, context, protection, session } = opened;
  const socket = createSocket(control.remoteFamily === "IPv6" ? "udp6" : "udp4");
  try {
    const association = await UdpAssociation.open({
      control,
      socket,
      session,
      protection: datagramsOf(opened),
    });
    association.once("close", () => {
      protection.close();
      context?.close();
    });
    return association;
  } catch (error) {
    socket.close();
    control.destroy();
    protection.close();
    context?.close();
    throw error;
  }
}

function datagramsOf({ context, protection }: Opened) {
  if (context === null || !(protection instanceof ContextProtection)) return CLEAR_DATAGRAMS;
  return new ContextDatagramProtection(context, protection.level);
}
