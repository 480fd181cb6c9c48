/** What Node does not tell of a connection's end, and can't be told. Descriptors of what has none are passed over. */
import { getSystemErrorName } from "node:util";
import { native } from "./native.js";

/** Of a connection that has ended: what broke it, as ECONNRESET, though Node took that for an end; null where it was one. */
export function endError(descriptor: number): string | null {
  const errno = descriptor < 0 ? null : native.endError(descriptor);
  return errno === null ? null : getSystemErrorName(-errno);
}

/**
 * Whether the other end has gone, and not only ended what it sends; of a full close of TCP's that can't be told before
 * something is sent there.
 * @returns what broke the connection, as ECONNRESET; empty where it was closed; null where it is there
 */
export function hangUp(descriptor: number): string | null {
  const errno = descriptor < 0 ? null : native.hangUp(descriptor);
  if (errno === null) return null;
  return errno === 0 ? "" : getSystemErrorName(-errno);
}

/** Whether closing the connection resets it, at the end of this process too. */
export function setAbortive(descriptor: number, abortive: boolean): void {
  if (descriptor >= 0) native.setAbortive(descriptor, abortive);
}
