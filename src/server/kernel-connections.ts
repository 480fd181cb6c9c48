/**
 * The kernel's lists of this host's sockets (Linux: /proc/net/tcp, tcp6, udp and udp6). One line each, the addresses in
 * hex, each 32-bit word in the machine's own order of octets:
 *
 *     sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode
 *      0: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 15547 ...
 */
import { createReadStream, readFileSync } from "node:fs";
import { endianness } from "node:os";
import { createInterface } from "node:readline";
import { parseIp } from "../policy/ip-network.js";
import type { TcpAddress } from "./outgoing.js";

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Whether there is such a connection. False too where the kernel has no such list. */
export async function kernelHasConnection(local: TcpAddress, remote: TcpAddress): Promise<boolean> {
  for (const [list, entry] of entries("tcp", local, remote)) if (await holds(list, entry)) return true;
  return false;
}

/**
 * The uid of the process that holds the TCP connection from `local` to `remote`, or the UDP socket at `local`; null where
 * none does, or the kernel has no such list.
 */
export function listedOwner(protocol: "tcp" | "udp", local: TcpAddress, remote: TcpAddress): number | null {
  const wanted = protocol === "tcp" ? entries("tcp", local, remote) : udpEntries(local, remote);
  for (const [list, entry] of wanted) {
    const line = textOf(list)
      .split("\n")
      .find((each) => each.includes(entry));
    const [uid, , inode] = line?.trim().split(/\s+/).slice(7) ?? [];
    // What no process holds any more has neither.
    if (inode !== undefined && inode !== "0") return Number(uid);
  }
  return null;
}

/** How a socket may be listed, and where. */
function entries(protocol: "tcp" | "udp", local: TcpAddress, remote: TcpAddress): [string, string][] {
  const [from, to] = [local, remote].map(({ address }) => parseIp(address)?.toByteArray());
  if (from === undefined || to === undefined || from.length !== to.length) return [];
  const entry = (prefix: number[]) =>
    ` ${hexOf([...prefix, ...from])}:${hexPort(local.port)} ${hexOf([...prefix, ...to])}:${hexPort(remote.port)} `;
  const [ipv4, ipv6] = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`];
  if (from.length === 16) return [[ipv6, entry([])]];
  // An IPv6 socket carries IPv4 as well.
  return [
    [ipv4, entry([])],
    [ipv6, entry(MAPPED)],
  ];
}

/** Bound to the address or to all of them, connected or not. */
function udpEntries(local: TcpAddress, remote: TcpAddress): [string, string][] {
  const unconnected = (address: string) => ({ address, port: 0 });
  return [
    ...entries("udp", local, remote),
    ...["0.0.0.0", "::"].flatMap((any) => [
      ...entries("udp", local, unconnected(any)),
      ...entries("udp", { address: any, port: local.port }, unconnected(any)),
    ]),
  ];
}

async function holds(list: string, entry: string): Promise<boolean> {
  try {
    for await (const line of createInterface({ input: createReadStream(list, "latin1") })) {
      if (line.includes(entry)) return true;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return false;
}

function textOf(list: string): string {
  try {
    return readFileSync(list, "latin1");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return "";
  }
}

function hexOf(octets: readonly number[]): string {
  const words = Buffer.from(octets);
  if (endianness() === "LE") words.swap32();
  return words.toString("hex").toUpperCase();
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
