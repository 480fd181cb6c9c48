/** What a program asks a proxy for: a connection to a destination, or an association for datagrams. */
import { createSocket } from "node:dgram";
import { GSS_C_SEQUENCE_FLAG } from "../gss/flags.js";
import { parseHost, UNSPECIFIED } from "../protocol/address.js";
import { CMD } from "../protocol/constants.js";
import { CLEAR_DATAGRAMS, ContextDatagramProtection } from "../relay/datagram-protection.js";
import { ContextProtection } from "../relay/message-protection.js";
import { type HostPort, type Opened, openThrough, type ProxyOptions } from "./handshake.js";
import { ProxyStream } from "./proxy-stream.js";
import { UdpAssociation } from "./udp-association.js";

export interface ConnectOptions extends ProxyOptions {
  /** Where the proxy is to connect to; a name is resolved there. */
  destination: HostPort;
}

/**
 * Connects, authenticates, agrees on a protection level and has the proxy connect on.
 * @returns a Duplex of plain octets; its `session` tells what was agreed
 * @throws NetworkError (the proxy or the destination can't be reached), GssError (no ticket, expired, unknown name …),
 *   PolicyError (LEVEL_REFUSED, RULE_DENIED, NO_ACCEPTABLE_METHOD), PeerError (the proxy breaks the protocol)
 */
export async function connect({ destination, ...options }: ConnectOptions): Promise<ProxyStream> {
  const dst = { host: parseHost(destination.host), port: destination.port };
  return new ProxyStream(await openThrough(options, { cmd: CMD.CONNECT, dst }));
}

/**
 * Opens an association for datagrams (RFC 1928 §7), under the level that is agreed.
 * @returns it lives until it is closed, or the proxy ends it (`close`)
 * @throws as {@link connect}
 */
export async function udpAssociate(options: ProxyOptions): Promise<UdpAssociation> {
  // RFC 1961 §3.2: datagrams come in any order.
  const wanted = { cmd: CMD.UDP_ASSOCIATE, dst: UNSPECIFIED, withoutFlags: GSS_C_SEQUENCE_FLAG };
  const opened = await openThrough(options, wanted);
  const { socket: control, context, protection, session } = opened;
  const socket = createSocket(control.remoteFamily === "IPv6" ? "udp6" : "udp4");
  try {
    const association = await UdpAssociation.open({
      control,
      socket,
      relay: session.bnd,
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
