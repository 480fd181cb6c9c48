/** What a process and all its descendants cost (proc(5)). */
import { readdirSync, readFileSync } from "node:fs";

/** The kernel tells processor time in these, whatever its own clock is. */
const TICKS_PER_SECOND = 100;

interface Stat {
  pid: number;
  parent: number;
  /** Its own. */
  ticks: number;
  /** Of its children that have ended and been waited for, and of theirs. */
  reaped: number;
}

/** Seconds on a processor, in user and kernel mode, since each of them began. */
export function cpuSeconds(root: number): number {
  const ticks = tree(root).reduce((sum, stat) => sum + stat.ticks + stat.reaped, 0);
  return ticks / TICKS_PER_SECOND;
}

/** Octets in RAM; a page that several processes share counts in parts (Pss), so that a tree is not counted double. */
export function memory(root: number): number {
  return tree(root).reduce((sum, { pid }) => sum + proportional(pid), 0);
}

export function processes(root: number): number {
  return tree(root).length;
}

/** What a server has open beside its sessions. */
const SPARE = 100;

/** Counts of sessions, two descriptors each, as far as a process that we start may have so many open. */
export function affordable(counts: readonly number[]): number[] {
  const most = Math.floor((descriptorLimit() - SPARE) / 2);
  return [...new Set(counts.map((count) => Math.min(count, most)))];
}

/** Node has raised ours to what it may be, and those that we start inherit it. */
function descriptorLimit(): number {
  const limits = readFileSync("/proc/self/limits", "utf8");
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
}

function tree(root: number): Stat[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)) ?? []);
  const within = new Set([root]);
  // Children may be listed before their parents.
  for (let size = 0; size < within.size; ) {
    size = within.size;
    for (const { pid, parent } of all) if (within.has(parent)) within.add(pid);
  }
  return all.filter(({ pid }) => within.has(pid));
}

function statOf(pid: number): Stat | null {
  const text = readOrNull(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The program's name, in parentheses, may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const at = (number: number) => Number(fields[number - 3]);
  return { pid, parent: at(4), ticks: at(14) + at(15), reaped: at(16) + at(17) };
}

function proportional(pid: number): number {
  const text = readOrNull(`/proc/${pid}/smaps_rollup`) ?? "";
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // It has ended since.
    return null;
  }
}
