/**
 * The kernel's list of this host's TCP connections (Linux: /proc/net/tcp and tcp6). One line each, the addresses in hex,
 * each 32-bit word in the machine's own order of octets:
 *
 *     sl  local_address rem_address   st ...
 *      0: 0100007F:1F90 0200007F:C350 01 ...      127.0.0.1:8080 127.0.0.2:50000
 */
import { createReadStream } from "node:fs";
import { endianness } from "node:os";
import { createInterface } from "node:readline";
import { parseIp } from "../policy/ip-network.js";
import type { TcpAddress } from "./outgoing.js";

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Whether there is such a connection. False too where the kernel has no such list. */
export async function kernelHasConnection(local: TcpAddress, remote: TcpAddress): Promise<boolean> {
  const [from, to] = [local, remote].map(({ address }) => parseIp(address)?.toByteArray());
  if (from === undefined || to === undefined || from.length !== to.length) return false;
  const entry = (prefix: number[]) =>
    ` ${hexOf([...prefix, ...from])}:${hexPort(local.port)} ${hexOf([...prefix, ...to])}:${hexPort(remote.port)} `;
  if (from.length === 16) return holds("/proc/net/tcp6", entry([]));
  // An IPv6 socket carries IPv4 as well.
  return (await holds("/proc/net/tcp", entry([]))) || holds("/proc/net/tcp6", entry(MAPPED));
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

function hexOf(octets: readonly number[]): string {
  const words = Buffer.from(octets);
  if (endianness() === "LE") words.swap32();
  return words.toString("hex").toUpperCase();
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
