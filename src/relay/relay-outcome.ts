/** Why a relay of the addon ended, as the error that the same octets give everywhere. */
import { type GssocksError, NetworkError } from "../errors.js";
import { openFailure } from "../gss/fast-context.js";
import { supplementaryInfo } from "../gss/flags.js";
import type { RelayOutcome } from "../gss/native-relay.js";
import { badToken, checkOrder, frameLength, notConfidential, truncated } from "./token-engine.js";

/** Of one that ended neither well nor by a side that broke. */
export function outcomeError({ end, detail, text }: RelayOutcome): GssocksError {
  switch (end) {
    case "truncated":
      return truncated();
    case "bad-frame":
      return thrownBy(() => frameLength(octetsOf(detail), 0, detail >= ONE_OCTET ? 1 : 2));
    case "bad-token":
      return thrownBy(() => checkStatus(detail));
    case "not-confidential":
      return notConfidential();
    default:
      return new NetworkError("RELAY_FAILED", `the relay failed: ${text}`);
  }
}

/** Tells one octet from two (native/relay_session.h). */
const ONE_OCTET = 0x10000;

function octetsOf(detail: number): Buffer {
  return detail >= ONE_OCTET ? Buffer.from([detail]) : Buffer.from([detail >> 8, detail]);
}

function checkStatus(major: number): void {
  const supplementary = supplementaryInfo(major);
  if (major !== supplementary) throw badToken(openFailure(major));
  checkOrder(supplementary);
}

function thrownBy(check: () => void): GssocksError {
  try {
    check();
  } catch (error) {
    return error as GssocksError;
  }
  return new NetworkError("RELAY_FAILED", "the relay ended without a reason");
}
