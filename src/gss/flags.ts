/** Constants of the C bindings, verbatim (RFC 2744 §3.9, appendix A; gssapi_ext.h). */

// Context flags: req_flags and ret_flags.
export const GSS_C_DELEG_FLAG = 0x0001;
export const GSS_C_MUTUAL_FLAG = 0x0002;
export const GSS_C_REPLAY_FLAG = 0x0004;
export const GSS_C_SEQUENCE_FLAG = 0x0008;
export const GSS_C_CONF_FLAG = 0x0010;
export const GSS_C_INTEG_FLAG = 0x0020;
export const GSS_C_ANON_FLAG = 0x0040;
export const GSS_C_PROT_READY_FLAG = 0x0080;
export const GSS_C_TRANS_FLAG = 0x0100;
export const GSS_C_CHANNEL_BOUND_FLAG = 0x0800;
export const GSS_C_DCE_STYLE = 0x1000;
export const GSS_C_DELEG_POLICY_FLAG = 0x8000;

/** What an initiator of ours asks for unless told otherwise. */
export const DEFAULT_INITIATOR_FLAGS =
  GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG;

// Credential usage.
export const GSS_C_BOTH = 0;
export const GSS_C_INITIATE = 1;
export const GSS_C_ACCEPT = 2;

export const GSS_C_INDEFINITE = 0xffffffff;
export const GSS_C_QOP_DEFAULT = 0;

// Supplementary bits of a major status (RFC 2744 §3.9.1).
export const GSS_S_COMPLETE = 0;
export const GSS_S_CONTINUE_NEEDED = 1 << 0;
export const GSS_S_DUPLICATE_TOKEN = 1 << 1;
export const GSS_S_OLD_TOKEN = 1 << 2;
export const GSS_S_UNSEQ_TOKEN = 1 << 3;
export const GSS_S_GAP_TOKEN = 1 << 4;

// Routine errors.
export const GSS_S_BAD_MECH = 1 << 16;
export const GSS_S_BAD_NAME = 2 << 16;
export const GSS_S_BAD_NAMETYPE = 3 << 16;
export const GSS_S_BAD_BINDINGS = 4 << 16;
export const GSS_S_BAD_SIG = 6 << 16;
export const GSS_S_NO_CRED = 7 << 16;
export const GSS_S_NO_CONTEXT = 8 << 16;
export const GSS_S_DEFECTIVE_TOKEN = 9 << 16;
export const GSS_S_DEFECTIVE_CREDENTIAL = 10 << 16;
export const GSS_S_CREDENTIALS_EXPIRED = 11 << 16;
export const GSS_S_CONTEXT_EXPIRED = 12 << 16;
export const GSS_S_FAILURE = 13 << 16;
export const GSS_S_BAD_QOP = 14 << 16;
export const GSS_S_UNAUTHORIZED = 15 << 16;
export const GSS_S_UNAVAILABLE = 16 << 16;
export const GSS_S_DUPLICATE_ELEMENT = 17 << 16;

const CALLING_ERRORS = [
  "GSS_S_CALL_INACCESSIBLE_READ",
  "GSS_S_CALL_INACCESSIBLE_WRITE",
  "GSS_S_CALL_BAD_STRUCTURE",
];

const ROUTINE_ERRORS = [
  "GSS_S_BAD_MECH",
  "GSS_S_BAD_NAME",
  "GSS_S_BAD_NAMETYPE",
  "GSS_S_BAD_BINDINGS",
  "GSS_S_BAD_STATUS",
  "GSS_S_BAD_SIG",
  "GSS_S_NO_CRED",
  "GSS_S_NO_CONTEXT",
  "GSS_S_DEFECTIVE_TOKEN",
  "GSS_S_DEFECTIVE_CREDENTIAL",
  "GSS_S_CREDENTIALS_EXPIRED",
  "GSS_S_CONTEXT_EXPIRED",
  "GSS_S_FAILURE",
  "GSS_S_BAD_QOP",
  "GSS_S_UNAUTHORIZED",
  "GSS_S_UNAVAILABLE",
  "GSS_S_DUPLICATE_ELEMENT",
  "GSS_S_NAME_NOT_MN",
];

/** The name of what GSS_ERROR finds in a major status: one of the RFC's, whatever the library's says. */
export function majorName(major: number): string {
  const routine = (major >>> 16) & 0xff;
  if (routine !== 0) return ROUTINE_ERRORS[routine - 1] ?? "unknown";
  return CALLING_ERRORS[(major >>> 24) - 1] ?? "unknown";
}

/** GSS_ROUTINE_ERROR of the C bindings. */
export function routineError(major: number): number {
  return major & 0x00ff0000;
}

/** GSS_SUPPLEMENTARY_INFO of the C bindings: what GSS_ERROR masks. */
export function supplementaryInfo(major: number): number {
  return major & 0x0000ffff;
}

const SUPPLEMENTARY_TEXT: readonly (readonly [bit: number, text: string])[] = [
  [GSS_S_CONTINUE_NEEDED, "continue needed"],
  [GSS_S_DUPLICATE_TOKEN, "duplicate token"],
  [GSS_S_OLD_TOKEN, "old token"],
  [GSS_S_UNSEQ_TOKEN, "token out of sequence"],
  [GSS_S_GAP_TOKEN, "gap in the token sequence"],
];

/** The names of the supplementary bits in `major`, for a log; empty for none. */
export function describeSupplementary(major: number): string {
  return SUPPLEMENTARY_TEXT.filter(([bit]) => (major & bit) !== 0)
    .map(([, text]) => text)
    .join(", ");
}
