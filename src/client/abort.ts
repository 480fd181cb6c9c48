/** The caller's AbortSignal: before a connection is open, and for as long as it is. */
import { NetworkError } from "../errors.js";

/** The signal's reason is the cause. */
export function aborted(signal: AbortSignal): NetworkError {
  return new NetworkError("ABORTED", "given up by the caller", { cause: signal.reason });
}

/**
 * Has the signal end what it was given for, also where it was aborted already.
 * @returns ends that, once there is nothing to end any more
 */
export function onAbort(signal: AbortSignal | undefined, end: (error: NetworkError) => void): () => void {
  if (signal === undefined) return () => {};
  const listener = () => end(aborted(signal));
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}
