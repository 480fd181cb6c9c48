/**
 * `gssocks/gss`: the GSS-API for Node, initiator and acceptor, with nothing of SOCKS in it.
 *
 * {@link SecurityContext} establishes a context, by Kerberos or SPNEGO, and protects messages; {@link Credential} and
 * {@link Name} are what it takes. Whatever may ask a KDC or read a file is a promise, off the main thread, and nothing of
 * the process is changed. A failed call is a {@link GssError}: `code` names its likely cause, the message the remedy.
 * What holds something of the library's has `close()`; what is not closed is freed when it is collected.
 */

export { GssError, type GssFailure, GssocksError, UsageError } from "../errors.js";
export {
  type AcceptorOptions,
  Credential,
  type CredentialInfo,
  type InitiatorOptions,
  type StoreOptions,
} from "./credential.js";
export {
  DEFAULT_INITIATOR_FLAGS,
  describeSupplementary,
  GSS_C_ANON_FLAG,
  GSS_C_CHANNEL_BOUND_FLAG,
  GSS_C_CONF_FLAG,
  GSS_C_DCE_STYLE,
  GSS_C_DELEG_FLAG,
  GSS_C_DELEG_POLICY_FLAG,
  GSS_C_INDEFINITE,
  GSS_C_INTEG_FLAG,
  GSS_C_MUTUAL_FLAG,
  GSS_C_PROT_READY_FLAG,
  GSS_C_REPLAY_FLAG,
  GSS_C_SEQUENCE_FLAG,
  GSS_C_TRANS_FLAG,
  GSS_S_DUPLICATE_TOKEN,
  GSS_S_GAP_TOKEN,
  GSS_S_OLD_TOKEN,
  GSS_S_UNSEQ_TOKEN,
  majorName,
} from "./flags.js";
export type { Impersonation } from "./gss-cause.js";
export { type Mechanism, mechanisms } from "./mechanism.js";
export { Name } from "./name.js";
export {
  GSS_C_NT_ANONYMOUS,
  GSS_C_NT_EXPORT_NAME,
  GSS_C_NT_HOSTBASED_SERVICE,
  GSS_C_NT_USER_NAME,
  GSS_KRB5_NT_PRINCIPAL_NAME,
  GSS_MECH_IAKERB,
  GSS_MECH_KRB5,
  GSS_MECH_NTLMSSP,
  GSS_MECH_SPNEGO,
  tokenMechanism,
} from "./oids.js";
export {
  type AcceptorContextOptions,
  type AcceptResult,
  type ContextInfo,
  type InitiatorContextOptions,
  type PerMessage,
  SecurityContext,
  type StepResult,
  type Unwrapped,
} from "./security-context.js";
