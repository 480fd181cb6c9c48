import { GssocksError } from "../errors.js";

/** Anything but one of our errors is a bug of ours; the session ends, the server goes on. */
export function asError(error: unknown): GssocksError {
  if (error instanceof GssocksError) return error;
  return new InternalError("INTERNAL", `internal error: ${(error as Error)?.stack ?? String(error)}`, {
    cause: error,
  });
}

class InternalError extends GssocksError {}
