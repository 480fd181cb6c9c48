/** What Node does not tell of a TCP connection's end, and can't be told. Descriptors of anything else are passed over. */
import { getSystemErrorName } from "node:util";
import { native } from "./native.js";

/** Of a connection that has ended: what broke it, as ECONNRESET, though Node took that for an end; null where it was one. */
export function endError(descriptor: number): string | null {
  const errno = descriptor < 0 ? null : native.endError(descriptor);
  return errno === null ? null : getSystemErrorName(-errno);
}

/** Whether closing the connection resets it, at the end of this process too. */
export function setAbortive(descriptor: number, abortive: boolean): void {
  if (descriptor >= 0) native.setAbortive(descriptor, abortive);
}
