import { PeerError } from "../errors.js";

/** The client's connection broke. */
export function clientLost(error: NodeJS.ErrnoException): PeerError {
  const message = `the client's connection broke: ${error.code ?? error.message}`;
  return new PeerError("CONNECTION_LOST", message, { cause: error });
}
