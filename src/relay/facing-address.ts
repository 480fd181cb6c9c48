/** Which of our addresses a host elsewhere can reach. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { dialError } from "./dialer.js";

/**
 * Our address on the way to the first of `addresses`, at least one, that there is a way to. Nothing is sent to find out.
 * @throws NetworkError with the REP, the first failure's
 */
export async function facingAddress(addresses: readonly string[], port: number): Promise<string> {
  let failure: Error | null = null;
  for (const address of addresses) {
    try {
      return await facing(address);
    } catch (error) {
      failure ??= dialError(address, port, error as NodeJS.ErrnoException);
    }
  }
  throw failure as Error;
}

async function facing(address: string): Promise<string> {
  const probe = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    // Any port will do.
    probe.connect(9, address);
    await once(probe, "connect");
    return probe.address().address;
  } finally {
    probe.close();
  }
}
