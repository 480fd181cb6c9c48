import { GssError, type GssocksError, UsageError } from "../errors.js";
import { type FailureContext, likelyCause } from "./gss-cause.js";
import type { NativeFailure } from "./native.js";

export type { FailureContext } from "./gss-cause.js";

/** What the addon throws when its caller is wrong, and what we call it. */
const USAGE_CODES = new Map([
  ["ERR_GSSOCKS_BUSY", "CONTEXT_BUSY"],
  ["ERR_GSSOCKS_CLOSED", "HANDLE_CLOSED"],
  ["ERR_GSSOCKS_HANDLE", "BAD_ARGUMENT"],
  ["ERR_INVALID_ARG_TYPE", "BAD_ARGUMENT"],
  ["ERR_OUT_OF_RANGE", "OUT_OF_RANGE"],
]);

/**
 * What the addon threw as an error of ours: a {@link GssError} whose `code` names the likely cause and whose message
 * says what to do about it, or a {@link UsageError}. Errors that are ours already, and those of others, stay as they are.
 */
export function toError(error: unknown, context: FailureContext = {}): GssocksError | unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ERR_GSS") return gssError(error as NativeFailure, context);
  const usage = typeof code === "string" ? USAGE_CODES.get(code) : undefined;
  return usage === undefined ? error : new UsageError(usage, (error as Error).message, { cause: error });
}

function gssError(failure: NativeFailure, context: FailureContext): GssError {
  const cause = likelyCause(failure, context);
  // Some texts of MIT end in NUL or white space.
  const status = [failure.majorText, failure.minorText]
    .map((text) => text.replace(/[\p{Cc}\s]+$/u, ""))
    .filter((text) => text !== "")
    .join("; ");
  const text = cause === undefined ? status : `${cause.text} [${status}]`;
  // Names out of a peer's token may hold line breaks and terminal sequences.
  const message = `${failure.call}: ${text}`.replace(/\p{Cc}/gu, "?");
  return new GssError(cause?.code ?? "GSS_FAILURE", message, failure);
}
