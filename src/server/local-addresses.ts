import { networkInterfaces } from "node:os";

/** Every address of the host's interfaces. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));
}
