/** What Linux tells of a process and of TCP connections (proc(5)), for tests that ask what something costs. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Octets of memory that the process has in RAM. */
export function residentMemory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  if (kilobytes === undefined) throw new Error(`no VmRSS of process ${pid}`);
  return Number(kilobytes) * 1024;
}

/** How many file descriptors the process has open. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export function threads(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** How many of its descriptors are sockets. */
export function sockets(pid: number): number {
  return targets(pid).filter((target) => target.startsWith("socket:")).length;
}

/** Whether the process has a socket open, by its number. */
export function hasSocket(pid: number, inode: number): boolean {
  return targets(pid).includes(`socket:[${inode}]`);
}

/** What the process's descriptors stand for. */
function targets(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`);
    } catch {
      // Closed since.
      return [];
    }
  });
}

/** One end of a TCP connection. */
export interface TcpEnd {
  /** Octets the other end has not acknowledged. */
  sendQueue: number;
  /** Octets the program has not read. */
  receiveQueue: number;
  /** There is something to send and the other end has no room: the kernel's zero window probe is running. */
  stopped: boolean;
  /** Its number; 0 where no program has it: not accepted yet, or closed and the kernel sees to the rest. */
  inode: number;
}

/**
 * @param local an IPv4 `address:port`
 * @param remote the other end's
 * @returns null where it was not found; the kernel's list may miss a line while others come and go
 */
export function tcpEnd(local: string, remote: string): TcpEnd | null {
  const ends = `${inHex(local)} ${inHex(remote)}`;
  // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
  const fields = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, from, to]) => `${from} ${to}` === ends);
  if (fields === undefined) return null;
  const [sendQueue = "", receiveQueue = ""] = fields[4]?.split(":") ?? [];
  return {
    sendQueue: Number.parseInt(sendQueue, 16),
    receiveQueue: Number.parseInt(receiveQueue, 16),
    stopped: fields[5]?.split(":")[0] === "04",
    inode: Number(fields[9]),
  };
}

/** As the kernel writes it: the address as one word of this (little-endian) machine. */
function inHex(endpoint: string): string {
  const [address = "", port] = endpoint.split(":");
  const word = Buffer.from(address.split(".").map(Number)).reverse().toString("hex");
  return `${word}:${Number(port).toString(16).padStart(4, "0")}`.toUpperCase();
}

/** The kernel tells no one when its state changes, so it is asked again and again; rejects after a minute. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within a minute: ${what}`);
    await delay(20);
  }
}
