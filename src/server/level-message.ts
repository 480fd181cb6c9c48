/** Messages of the protection level negotiation (RFC 1961 §4), as octets that a security context has to make or open. */
import type { SecurityContext } from "../gss/security-context.js";
import { MTYP } from "../protocol/constants.js";
import { encodeGssapiMessage } from "../protocol/gssapi-message.js";
import { type AgreedLevel, levelToOctet } from "../protocol/protection-level.js";
import { checkOrder } from "../relay/token-engine.js";

/** @throws GssError, PeerError (replayed, out of order) */
export function openLevelToken(context: SecurityContext, token: Buffer): Buffer {
  const { message, supplementary } = context.unwrap(token);
  checkOrder(supplementary);
  return message;
}

/** §4.4: wrapped with conf_req FALSE, or bare for NEC. */
export function levelMessage(context: SecurityContext, level: AgreedLevel, nec: boolean): Buffer {
  const octets = Buffer.from([levelToOctet(level)]);
  return encodeGssapiMessage(MTYP.PROTECTION_LEVEL, nec ? octets : context.wrap(octets, false));
}
