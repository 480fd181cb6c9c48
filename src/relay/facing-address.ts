/** Which of our addresses a host elsewhere can reach. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { dialError } from "./dialer.js";

/**
 * Our address on the way to `address`. Nothing is sent to find out.
 * @throws NetworkError with the REP, where there is no way
 */
export async function facingAddress(address: string, port: number): Promise<string> {
  const probe = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    // Any port will do.
    probe.connect(9, address);
    await once(probe, "connect");
    return probe.address().address;
  } catch (error) {
    throw dialError(address, port, error as NodeJS.ErrnoException);
  } finally {
    probe.close();
  }
}
