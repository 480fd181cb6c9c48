/** A file system that is soon full: a tmpfs of so many octets in a mount namespace of its own, seen through proc(5). */
import { type StartOptions, start } from "./processes.js";

const MOUNT = `
mount -t tmpfs -o "size=$1" tmpfs /mnt
echo mounted
exec cat
`;

/** @returns where it is, until the test ends */
export async function smallDisk(test: NonNullable<StartOptions["test"]>, octets: number): Promise<string> {
  const flags = ["--mount", ...(process.getuid?.() === 0 ? [] : ["--map-root-user"])];
  const child = await start("unshare", [...flags, "sh", "-euc", MOUNT, "sh", String(octets)], { test });
  await child.waitForLine(/^mounted$/);
  return `/proc/${child.pid}/root/mnt`;
}
