/** Where a client comes from, before it has said a word. */
import type { Socket } from "node:net";
import { native } from "../gss/native.js";
import type { ServerEvent } from "../observability/events.js";
import { formatEndpoint, parseHost, plainAddress } from "../protocol/address.js";
import { heldBy } from "../relay/socket-descriptor.js";
import type { Listener } from "./listener.js";
import { socketOwner } from "./socket-owner.js";

export interface Origin {
  /** For the log and the audit: its `address:port`, or `unix:uid=1000,pid=4242`. */
  readonly client: string;
  /** What it shares with its other connections: its address, or `unix:uid=1000`. */
  readonly source: string;
  /** The user of this host it runs as; null where that is not known, or was not asked. */
  readonly uid: number | null;
}

/**
 * @param owned whether the user has to be known
 * @returns null where it has gone
 */
export function originOf(socket: Socket, { bound }: Listener, owned: boolean): Origin | null {
  if (bound.port === null) return unixOrigin(socket);
  const { remoteAddress, remotePort = 0, localAddress = "", localPort = 0 } = socket;
  if (remoteAddress === undefined) return null;
  const source = plainAddress(remoteAddress);
  const client = formatEndpoint({ host: parseHost(remoteAddress), port: remotePort });
  if (!owned) return { client, source, uid: null };
  const server = { address: localAddress, port: localPort };
  return { client, source, uid: socketOwner("tcp", { address: remoteAddress, port: remotePort }, server) };
}

/** That the client's user is none of `owners`, for the log; null where it is one. */
export function strangerTo(owners: ReadonlySet<number>, { client, uid }: Origin): ServerEvent | null {
  if (uid !== null && owners.has(uid)) return null;
  const who = uid === null ? "a client that is gone" : `uid ${uid}`;
  const reason = `${who} is none of the listener's owners`;
  return { type: "connection-refused", client, code: "NOT_OWNER", reason, uid };
}

function unixOrigin(socket: Socket): Origin | null {
  const descriptor = heldBy(socket);
  const peer = descriptor < 0 ? null : native.peerCredentials(descriptor);
  if (peer === null) return null;
  const source = `unix:uid=${peer.uid}`;
  return { client: `${source},pid=${peer.pid}`, source, uid: peer.uid };
}
