/** What a server of several processes tells of them. */
import type { LogLine, ProxyServer } from "./proxy.js";

/** Pids of those that serve now. */
export function workersOf(proxy: ProxyServer): number[] {
  const pids = new Set<number>();
  for (const { msg, worker } of proxy.log()) {
    if (msg === "worker started") pids.add(worker as number);
    if (msg === "worker died") pids.delete(worker as number);
  }
  return [...pids];
}

/** Runs `act` while every other worker stands still, so that `pid` is the one that accepts. */
export async function onWorker<T>(proxy: ProxyServer, pid: number, act: () => Promise<T>): Promise<T> {
  const others = workersOf(proxy).filter((each) => each !== pid);
  for (const other of others) process.kill(other, "SIGSTOP");
  try {
    return await act();
  } finally {
    for (const other of others) process.kill(other, "SIGCONT");
  }
}

/** The worker that wrote a line. */
export function workerOf(line: LogLine): number {
  return line.worker as number;
}
