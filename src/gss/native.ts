/**
 * The whole surface of the addon, and the only place that loads it.
 *
 * Each function is one call of the GSS-API C bindings (RFC 2744) or of its extensions, with the C name camel-cased
 * and without the `gss_`. What the C call returns through pointers comes back as the result; a failed call throws (or
 * rejects) with a {@link NativeFailure}. OIDs cross as dotted strings, names and tokens as Buffers, flags as numbers.
 *
 * Threads: calls that may touch disk or network return a promise and run on libuv's pool. All others are synchronous.
 * Calls on one context must not overlap: a call on a context that is busy throws `ERR_GSSOCKS_BUSY`.
 * Handles belong to one environment (the main thread or one worker); `close()` is idempotent, and waits for a pending
 * call; a closed handle throws `ERR_GSSOCKS_CLOSED`, a foreign object `ERR_GSSOCKS_HANDLE`, a bad argument a TypeError …
 * and without the `gss_`. What the C call returns through pointers comes back as the result; a failed call throws
 * (or rejects) with a {@link NativeFailure}. What is no call of theirs stands in a section of its own. OIDs cross as
 * dotted strings, names and tokens as Buffers, flags as numbers.
 *
 * Threads: calls that may touch disk or network return a promise and run on libuv's pool, or in turn on one thread of the
 * addon, which costs less and is for those that ask nobody. All others are synchronous. Calls on one context must not
 * overlap: a call on a context that is busy throws `ERR_GSSOCKS_BUSY`. Handles belong to one environment (the main thread
 * or one worker); `close()` is idempotent, a closed handle throws `ERR_GSSOCKS_CLOSED`, a foreign object
 * `ERR_GSSOCKS_HANDLE`, a bad argument a TypeError or RangeError. A handle closed while a call on it is pending is
 * released when that call is done.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { NativeDelegation } from "./native-delegation.js";
import type { NativeSystem } from "./native-system.js";

declare const handleKind: unique symbol;

/** gss_name_t. */
export interface NameHandle {
  readonly [handleKind]: "name";
  /** gss_release_name; idempotent. */
  close(): void;
}

/** gss_cred_id_t. */
export interface CredentialHandle {
  readonly [handleKind]: "credential";
  /** gss_release_cred; idempotent. */
  close(): void;
}

/** gss_ctx_id_t; begins as GSS_C_NO_CONTEXT. */
export interface ContextHandle {
  readonly [handleKind]: "context";
  /** gss_delete_sec_context with GSS_C_NO_BUFFER (RFC 1961 §6); idempotent. */
  close(): void;
}

/** The keys of a gss_ctx_id_t, for RFC 4121's tokens. */
export interface FastContextHandle {
  readonly [handleKind]: "fast-context";
  /** Zeroes the keys; idempotent. */
  close(): void;
}

/**
 * How a relay ended: its id, one of {@link RELAY_ENDS} by its place, the side at fault (0 the client, 1 the
 * destination), what that end tells more, a text for a fault, and {@link RelayCounts}.
 */
export type RelayEnded = (
  id: number,
  end: number,
  side: number,
  detail: number,
  text: string,
  counts: RelayCounts,
) => void;

/** In the addon's order (native/relay_session.h). */
export const RELAY_ENDS = [
  "running",
  "ended",
  "aborted",
  "broken",
  "truncated",
  "bad-frame",
  "bad-token",
  "not-confidential",
  "fault",
] as const;

/** Octets of each of the four buffers that {@link Native.startRelay} takes, at most. */
export const MOST_HELD = 266_240;

/** Plain octets [0] up, [1] down; of frames [2] up, [3] down; [4] CLOCK_MONOTONIC in ms when octets were last carried. */
export type RelayCounts = Float64Array;

/** So many octets a second; relays that have it keep it when it is closed. */
export interface RateHandle {
  readonly [handleKind]: "rate";
  close(): void;
}

/** The own properties of the Error that a failed GSS-API call throws. */
export interface NativeFailure {
  code: "ERR_GSS";
  call: string;
  major: number;
  majorText: string;
  minor: number;
  minorText: string;
  mechanism?: string;
  outputToken?: Buffer;
}

/** struct gss_channel_bindings_struct (RFC 2744 §3.11). */
export interface NativeChannelBindings {
  initiatorAddrtype: number;
  initiatorAddress: Uint8Array;
  acceptorAddrtype: number;
  acceptorAddress: Uint8Array;
  applicationData: Uint8Array;
}

/** One row of a credential store: `["keytab", "FILE:/etc/krb5.keytab"]`. */
export type StoreElement = [key: string, value: string];

export interface NativeAcquired {
  credential: CredentialHandle;
  mechanisms: string[];
  /** Seconds; 0xffffffff (GSS_C_INDEFINITE) for no end. */
  lifetime: number;
}

export interface NativeInitResult {
  /** GSS_S_COMPLETE or GSS_S_CONTINUE_NEEDED with its supplementary bits. */
  major: number;
  /** Absent where the library gave no output token. */
  token?: Buffer;
  flags: number;
  lifetime: number;
  mechanism?: string;
}

export interface NativeAcceptResult extends NativeInitResult {
  /** Once the context is complete; gss_inquire_context in the same turn on the pool. */
  info?: NativeContextInfo;
  /** The credential the initiator delegated; the caller closes it. */
  delegated?: CredentialHandle;
  /** Our own principal: nothing was delegated, and `delegated` is for S4U2Proxy. */
  impersonator?: string;
  /** With `impersonator`: whether the initiator's ticket is forwardable. */
  forwardable?: boolean;
}

/** Names as gss_display_name has them. */
export interface NativeContextInfo {
  initiator?: string;
  /** OID of its name type. */
  initiatorType?: string;
  acceptor?: string;
  lifetime: number;
  mechanism?: string;
  flags: number;
  locallyInitiated: boolean;
  open: boolean;
}

/**
 * Where the per-message calls put what C returns through pointers: an Int32Array of 4, owned by the caller.
 * [0] offset of the result in the caller's buffer, [1] its length, [2] conf_state (0 or 1), [3] the major status
 * (only supplementary bits can be set: GSS_S_DUPLICATE_TOKEN, OLD, UNSEQ, GAP).
 */
export type PerMessageResult = Int32Array;

/**
 * What openFrames did: an Int32Array of 5, owned by the caller. [0] offset of the messages in the caller's buffer, one
 * behind the other, [1] their length, [2] where the first octet is that is no whole frame, or the first bad frame's,
 * [3] that one's major status (a routine error or a supplementary bit; 0 where there is none), [4] the last conf_state.
 */
export type FramesResult = Int32Array;

export interface Native extends NativeDelegation, NativeSystem {
  // --- Names (RFC 2744 §5.4, 5.10, 5.16 and others) -------------------------------------------------------------
  /** gss_import_name. `nameType` null is GSS_C_NO_OID. */
  importName(name: Uint8Array, nameType: string | null): NameHandle;
  /** gss_display_name. */
  displayName(name: NameHandle): { text: Buffer; nameType?: string };
  /** gss_canonicalize_name; may ask DNS. */
  canonicalizeName(name: NameHandle, mechanism: string): Promise<NameHandle>;
  /** gss_compare_name. */
  compareName(a: NameHandle, b: NameHandle): boolean;
  /** gss_duplicate_name. */
  duplicateName(name: NameHandle): NameHandle;
  /** gss_export_name: a mechanism name as flat octets. */
  exportName(name: NameHandle): Buffer;
  /** gss_localname: the local user by the library's rules (krb5: auth_to_local). May ask a plugin or NSS. */
  localname(name: NameHandle, mechanism: string | null): Promise<string>;

  // --- Credentials (RFC 2744 §5.2, 5.21, 5.22; gssapi_ext.h) -------------------------------------------------------
  /** gss_acquire_cred_from: `store` names keytab, ccache, client_keytab, rcache; nothing process-wide is touched. */
  acquireCredFrom(
    name: NameHandle | null,
    lifetime: number,
    mechanisms: readonly string[] | null,
    usage: number,
    store: StoreElement[] | null,
  ): Promise<NativeAcquired>;
  /** gss_acquire_cred_with_password. */
  acquireCredWithPassword(
    name: NameHandle,
    password: Uint8Array,
    lifetime: number,
    mechanisms: readonly string[] | null,
    usage: number,
  ): Promise<NativeAcquired>;
  /** gss_inquire_cred. Resolving a default credential reads the ccache, so it is a promise. */
  inquireCred(
    credential: CredentialHandle,
  ): Promise<{ name?: NameHandle; lifetime: number; usage: number; mechanisms: string[] }>;
  /** gss_set_neg_mechs: the mechanisms SPNEGO may negotiate with this credential. */
  setNegMechs(credential: CredentialHandle, mechanisms: readonly string[]): void;

  // --- Contexts (RFC 2744 §5.1, 5.3, 5.5, 5.9, 5.13, 5.19, 5.21, 5.35) ---------------------------------------------
  /** A handle that holds GSS_C_NO_CONTEXT. */
  newContext(): ContextHandle;
  /** gss_init_sec_context. `token` null on the first call. */
  initSecContext(
    context: ContextHandle,
    credential: CredentialHandle | null,
    target: NameHandle,
    mechanism: string | null,
    flags: number,
    lifetime: number,
    bindings: NativeChannelBindings | null,
    token: Uint8Array | null,
  ): Promise<NativeInitResult>;
  /** gss_accept_sec_context, without the src_name: `info` has it. `inTurn`: not on the pool, see above. */
  acceptSecContext(
    context: ContextHandle,
    credential: CredentialHandle | null,
    bindings: NativeChannelBindings | null,
    token: Uint8Array,
    inTurn?: boolean,
  ): Promise<NativeAcceptResult>;
  /** gss_inquire_context. */
  inquireContext(context: ContextHandle): NativeContextInfo;
  /** gss_context_time: seconds left; throws GSS_S_CONTEXT_EXPIRED. */
  contextTime(context: ContextHandle): number;
  /** gss_wrap_size_limit: the largest input whose token is at most `maxOutput` octets. */
  wrapSizeLimit(context: ContextHandle, confReq: boolean, qop: number, maxOutput: number): number;

  // --- Per-message calls (RFC 2744 §5.12, 5.30, 5.32, 5.33) --------------------------------------------------------
  /** gss_wrap: a new token. */
  wrap(
    context: ContextHandle,
    confReq: boolean,
    qop: number,
    message: Uint8Array,
  ): { token: Buffer; confState: boolean };
  /** gss_unwrap. */
  unwrap(
    context: ContextHandle,
    token: Uint8Array,
  ): { message: Buffer; confState: boolean; qop: number; major: number };
  /** gss_get_mic. */
  getMic(context: ContextHandle, qop: number, message: Uint8Array): Buffer;
  /** gss_verify_mic; returns the major status, whose supplementary bits are the caller's to judge. */
  verifyMic(context: ContextHandle, message: Uint8Array, mic: Uint8Array): { major: number; qop: number };
  /**
   * gss_wrap_iov (gss_wrap where the mechanism has none) of `input[inStart, inEnd)` into `output` at `outStart`, nothing
   * past `outEnd`: the wire token, contiguous. `input` and `output` may share memory only if the ranges do not overlap.
   * Throws RangeError, with nothing written, where the token does not fit. Fills `result`, returns the token's length.
   */
  wrapInto(
    context: ContextHandle,
    confReq: boolean,
    input: Uint8Array,
    inStart: number,
    inEnd: number,
    output: Uint8Array,
    outStart: number,
    outEnd: number,
    result: PerMessageResult,
  ): number;
  /**
   * gss_unwrap_iov (gss_unwrap where the mechanism has none) of the token `buffer[start, end)`, in place: the message
   * ends up inside that range at result[0] with length result[1]. Returns the message's length. MIT gives no message
   * (length 0) where it sets a supplementary bit; `unwrap` does.
   */
  unwrapInPlace(
    context: ContextHandle,
    buffer: Uint8Array,
    start: number,
    end: number,
    result: PerMessageResult,
  ): number;

  // --- Per-message protection without the library's calls (RFC 4121) -----------------------------------------------
  /**
   * gss_krb5_export_lucid_sec_context: takes the keys and sequence numbers out of an established krb5 context, which is
   * then GSS_C_NO_CONTEXT. Null, and the context as it was, where its tokens are not of the four AES enctypes.
   * `lanes` false: no message is worked on beside another.
   */
  exportFastContext(context: ContextHandle, lanes: boolean): FastContextHandle | null;
  /**
   * Seals `input[inStart, inEnd)` as frames of RFC 1961 §5 into `output` at `outStart`, at most to `outEnd`; returns how
   * long they are. Throws RangeError, with nothing written, where they may not fit.
   */
  sealFrames(
    context: FastContextHandle,
    conf: boolean,
    input: Uint8Array,
    inStart: number,
    inEnd: number,
    output: Uint8Array,
    outStart: number,
    outEnd: number,
  ): number;
  /** Opens the whole frames of `buffer[start, end)` in place, up to the first bad one: {@link FramesResult}. */
  openFrames(
    context: FastContextHandle,
    confRequired: boolean,
    buffer: Uint8Array,
    start: number,
    end: number,
    result: FramesResult,
  ): void;
  /** What computes for exportFastContext here, the preferred first; empty where nothing can. */
  fastPathEngines(): string[];

  // --- Relays: two sockets, joined on a thread of the addon (Linux) ------------------------------------------------
  /**
   * Starts the threads, once per environment; `ended` is told of each relay's end. Absent where there is no epoll.
   * @returns false, with nothing done, where there are no descriptors or threads left
   */
  openRelays?(threads: number, ended: RelayEnded): boolean;
  /**
   * Joins the TCP sockets of two descriptors, which are copied: the caller's are to be closed, without a shutdown. `context`
   * protects what passes between us and the client and is the relay's from then on; null where nothing does.
   * `toClient` and `toDestination` are written first, as they are; `fromClient` and `fromDestination` are octets
   * that were read already; none of the four has more than {@link MOST_HELD}. `output` is `destination`, or where what goes
   * there is written: /dev/null takes its place in this process, so that its reader sees the end. Each of `upRates` bounds
   * what comes from the client, of `downRates` from the destination.
   * @returns the relay's id; 0, with nothing done, where there are no descriptors left
   */
  startRelay(
    client: number,
    destination: number,
    context: FastContextHandle | null,
    conf: boolean,
    confRequired: boolean,
    toClient: Uint8Array,
    toDestination: Uint8Array,
    fromClient: Uint8Array,
    fromDestination: Uint8Array,
    output: number,
    upRates: readonly RateHandle[],
    downRates: readonly RateHandle[],
  ): number;
  /** From now on rates with a name are the same in all processes that share a file, of this size and all 0 at first. */
  shareRates(descriptor: number): void;
  readonly sharedRatesSize: number;
  newRate(octetsPerSecond: number, name: string | null): RateHandle;
  /** After `octets` were carried by other means: milliseconds to wait before the next. */
  chargeRate(rate: RateHandle, octets: number): number;
  /** Cuts both sides off. */
  abortRelay(id: number): void;
  /** Null where it has ended. */
  relayCounts(id: number): RelayCounts | null;

  // --- Mechanisms and OIDs (RFC 2744 §5.17, RFC 5587, RFC 5801) ------------------------------------------------------
  /** gss_indicate_mechs. */
  indicateMechs(): string[];
  /** gss_inquire_attrs_for_mech: OIDs of its attributes (RFC 5587). */
  inquireAttrsForMech(mechanism: string): { attributes: string[]; known: string[] };
  /** gss_inquire_saslname_for_mech: SASL name, name and description of the mechanism. */
  inquireSaslnameForMech(mechanism: string): { saslName: string; name: string; description: string };
  /** gss_inquire_names_for_mech. */
  inquireNamesForMech(mechanism: string): string[];

  // --- Status (RFC 2744 §5.11) ------------------------------------------------------------------------------------------
  /** gss_display_status of a major code, all of its messages joined. Minor texts come with each failure instead. */
  displayMajorStatus(major: number): string;
}

const require = createRequire(import.meta.url);

function load(): Native {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const loadPrebuilt = require("pkg-prebuilds") as (root: string, options: unknown) => Native;
  return loadPrebuilt(root, require("../../../binding-options.cjs"));
}

export const native: Native = load();
