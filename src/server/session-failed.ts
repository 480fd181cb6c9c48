import { GssError, type GssocksError } from "../errors.js";
import { majorName } from "../gss/flags.js";
import type { ServerEvent, SessionSubject } from "../observability/events.js";
import { severityOf } from "./authorize.js";
import { LimitError } from "./limits.js";

/** @param step what the session was in, in words */
export function sessionFailed(
  subject: SessionSubject,
  step: string,
  error: GssocksError,
): Extract<ServerEvent, { type: "session-failed" }> {
  const { code, message: reason } = error;
  return {
    type: "session-failed",
    subject,
    step,
    code,
    reason,
    major: majorOf(error),
    limit: limitOf(error),
    severity: severityOf(error),
  };
}

/** Of the GSS-API call that failed, where one did: an error of ours may have been made of the library's. */
function majorOf(error: GssocksError): string | null {
  let cause: unknown = error;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth += 1) {
    if (cause instanceof GssError) return majorName(cause.major);
    cause = cause.cause;
  }
  return null;
}

function limitOf(error: GssocksError): string | null {
  return error instanceof LimitError ? error.limit : null;
}
