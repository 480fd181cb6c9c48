/** Which user of this host holds a socket that speaks to us. */
import { constants } from "node:os";
import { native } from "../gss/native.js";
import { parseIp } from "../policy/ip-network.js";
import { listedOwner } from "./kernel-connections.js";
import type { TcpAddress } from "./outgoing.js";

type Protocol = "tcp" | "udp";

/** Whether the kernel has been seen to answer: then "there is none" is an answer too, and the lists need not be read. */
const answers = { tcp: false, udp: false };

/**
 * @param client its end of a TCP connection, or where its datagrams come from; @param server ours
 * @returns its uid; null where no process of this host holds such a socket any more
 */
export function socketOwner(protocol: Protocol, client: TcpAddress, server: TcpAddress): number | null {
  const [address, peer] = [client, server].map((each) => parseIp(each.address)?.toByteArray());
  if (address === undefined || peer === undefined || address.length !== peer.length) return null;
  const uid = native.socketOwner(
    protocol,
    Uint8Array.from(address),
    client.port,
    Uint8Array.from(peer),
    server.port,
  );
  if (uid >= 0) {
    answers[protocol] = true;
    return uid;
  }
  // ENOENT is said too by a kernel without that table.
  if (uid === -constants.errno.ENOENT && answers[protocol]) return null;
  return listedOwner(protocol, client, server);
}
