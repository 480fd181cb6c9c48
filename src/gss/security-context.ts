import { GssError, UsageError } from "../errors.js";
import { type CallKind, callQueue } from "./call-queue.js";
import { bindingsOf } from "./channel-bindings.js";
import { Credential } from "./credential.js";
import { FastContext } from "./fast-context.js";
import {
  DEFAULT_INITIATOR_FLAGS,
  GSS_C_ANON_FLAG,
  GSS_C_QOP_DEFAULT,
  GSS_S_CONTINUE_NEEDED,
  supplementaryInfo,
} from "./flags.js";
import { type FailureContext, toError } from "./gss-error.js";
import { importService, isAnonymous, type Name } from "./name.js";
import {
  type NativeAcceptResult,
  type NativeChannelBindings,
  type NativeContextInfo,
  type NativeInitResult,
  native,
} from "./native.js";
import { beginsKerberos, GSS_MECH_KRB5, holdsIakerb, mechanismName } from "./oids.js";

export interface InitiatorContextOptions {
  /**
   * The acceptor's name, which must stay open until the context is established; or its text, as `HTTP@www.example.test` or
   * `HTTP/www.example.test@EXAMPLE.TEST`.
   */
  target: Name | string;
  /** The library's default initiator credential otherwise. */
  credential?: Credential | undefined;
  /** OID; the library's default mechanism (krb5) otherwise. */
  mechanism?: string | undefined;
  /** GSS_C_*_FLAG; mutual authentication, replay, sequence, confidentiality and integrity otherwise. */
  flags?: number | undefined;
  /** Application data to bind to (RFC 5056), as `tls-server-end-point:...`. */
  channelBindings?: Uint8Array | undefined;
  /** Seconds asked for; the library's default otherwise. */
  lifetime?: number | undefined;
}

export interface AcceptorContextOptions {
  /** The library's default acceptor credential otherwise. */
  credential?: Credential | undefined;
  channelBindings?: Uint8Array | undefined;
}

export interface StepResult {
  complete: boolean;
  /** For the peer; null where the library gave no output. */
  token: Buffer | null;
}

export interface AcceptResult extends StepResult {
  /** As {@link SecurityContext.inquire}; null while the context is not complete. */
  info: ContextInfo | null;
}

export interface ContextInfo {
  /** Display names; empty where the library has none. */
  initiator: string;
  /** Whether the initiator is nobody that a rule or a log could name. */
  anonymous: boolean;
  acceptor: string;
  /** OID. */
  mechanism: string;
  flags: number;
  /** Seconds left. */
  lifetime: number;
  locallyInitiated: boolean;
  established: boolean;
}

export interface Unwrapped {
  message: Buffer;
  confState: boolean;
  /** GSS_S_DUPLICATE_TOKEN, OLD, UNSEQ, GAP: the caller's to judge. */
  supplementary: number;
}

/** Where the message of a token lies in the caller's buffer. */
export interface PerMessage {
  offset: number;
  length: number;
  confState: boolean;
  supplementary: number;
}

/**
 * One security context, of either role. Steps of its establishment are queued; a per-message call while one is pending
 * is a UsageError. A failed step closes the context. All errors are GssError or UsageError.
 */
export class SecurityContext {
  readonly #handle = native.newContext();
  readonly #initiator: (InitiatorContextOptions & { target: Name }) | undefined;
  /** Made here out of a text. */
  #ownTarget: Name | null = null;
  readonly #credential: Credential | undefined;
  readonly #bindings: NativeChannelBindings | null;
  readonly #target: string | undefined;
  readonly #result = new Int32Array(4);
  readonly #perMessage: PerMessage = { offset: 0, length: 0, confState: false, supplementary: 0 };
  #tail: Promise<unknown> = Promise.resolve();
  #established = false;
  #flags = 0;
  #delegated: Credential | null = null;
  #closed = false;

  private constructor(initiator: InitiatorContextOptions | undefined, options: AcceptorContextOptions) {
    if (initiator !== undefined) {
      const { target } = initiator;
      if (typeof target === "string") this.#ownTarget = importService(target);
      this.#initiator = { ...initiator, target: this.#ownTarget ?? (target as Name) };
    }
    this.#credential = options.credential;
    this.#bindings = bindingsOf(options.channelBindings);
    this.#target = this.#initiator?.target.toString();
  }

  /** The side that calls {@link init}. */
  static initiator(options: InitiatorContextOptions): SecurityContext {
    return new SecurityContext(options, options);
  }

  /** The side that calls {@link accept}. */
  static acceptor(options: AcceptorContextOptions = {}): SecurityContext {
    return new SecurityContext(undefined, options);
  }

  /**
   * gss_init_sec_context.
   *
   * @param token null on the first call, the peer's token then
   */
  init(token: Uint8Array | null): Promise<StepResult> {
    const options = this.#initiator;
    if (options === undefined) return Promise.reject(wrongRole("init", "an acceptor"));
    const { mechanism = GSS_MECH_KRB5 } = options;
    if (this.#credential?.holds(mechanism) === false) return Promise.reject(wrongMechanism(mechanism));
    return this.#step("network", token, () =>
      native.initSecContext(
        this.#handle,
        this.#credential?.handle ?? null,
        options.target.handle,
        options.mechanism ?? null,
        options.flags ?? DEFAULT_INITIATOR_FLAGS,
        options.lifetime ?? 0,
        this.#bindings,
        token,
      ),
    );
  }

  /** gss_accept_sec_context. */
  accept(token: Uint8Array): Promise<AcceptResult> {
    if (this.#initiator !== undefined) return Promise.reject(wrongRole("accept", "an initiator"));
    const accept = (inTurn: boolean) =>
      native.acceptSecContext(this.#handle, this.#credential?.handle ?? null, this.#bindings, token, inTurn);
    if (beginsKerberos(token)) return this.#step("own", token, () => accept(true));
    // IAKERB has the acceptor ask a KDC, and the initiator says of which realm: it must not hold up the others.
    return this.#step(holdsIakerb(token) ? "network" : "local", token, () => accept(false));
  }

  get established(): boolean {
    return this.#established;
  }

  /** ret_flags: what the peer and the mechanism granted, final once established. */
  get flags(): number {
    return this.#flags;
  }

  /** gss_inquire_context. */
  inquire(): ContextInfo {
    return contextInfo(this.#call(() => native.inquireContext(this.#handle)));
  }

  /** gss_context_time: seconds left. An expired context is a GssError with the code CONTEXT_EXPIRED. */
  timeLeft(): number {
    return this.#call(() => native.contextTime(this.#handle));
  }

  /**
   * The credential the initiator delegated, or one to act in its place with ({@link Credential.impersonation}), which is closed
   * with the context; null where there is neither.
   */
  get delegated(): Credential | null {
    return this.#delegated;
  }

  /** The same, once; the caller closes it. */
  takeDelegated(): Credential | null {
    const delegated = this.#delegated;
    this.#delegated = null;
    return delegated;
  }

  /** gss_wrap: a new token. */
  wrap(message: Uint8Array, conf: boolean): Buffer {
    const { token, confState } = this.#call(() =>
      native.wrap(this.#handle, conf, GSS_C_QOP_DEFAULT, message),
    );
    if (conf && !confState) throw confidentialityMissing("gss_wrap");
    return token;
  }

  /** gss_unwrap. */
  unwrap(token: Uint8Array): Unwrapped {
    const { message, confState, major } = this.#call(() => native.unwrap(this.#handle, token));
    return { message, confState, supplementary: supplementaryInfo(major) };
  }

  /** gss_wrap_size_limit: the longest message, in octets, whose token has at most `maxToken`; 0 where none fits. */
  wrapSizeLimit(conf: boolean, maxToken: number): number {
    return this.#call(() => native.wrapSizeLimit(this.#handle, conf, GSS_C_QOP_DEFAULT, maxToken));
  }

  /**
   * Seals `input[inStart, inEnd)` into `output` at `outStart`, never past `outEnd`; the two must not overlap.
   *
   * @returns the token's length in octets
   */
  wrapInto(
    conf: boolean,
    input: Uint8Array,
    inStart: number,
    inEnd: number,
    output: Uint8Array,
    outStart: number,
    outEnd: number,
  ): number {
    let length: number;
    try {
      length = native.wrapInto(
        this.#handle,
        conf,
        input,
        inStart,
        inEnd,
        output,
        outStart,
        outEnd,
        this.#result,
      );
    } catch (error) {
      throw toError(error, this.#failureContext);
    }
    if (conf && this.#result[2] !== 1) {
      output.fill(0, outStart, outStart + length);
      throw confidentialityMissing("gss_wrap_iov");
    }
    return length;
  }

  /**
   * Opens the token `buffer[start, end)` in place. Not for tokens that may come out of order: with a supplementary bit
   * MIT gives an empty message here.
   *
   * @returns where the message is, in one object that the next call of this context writes over
   */
  unwrapInPlace(buffer: Uint8Array, start: number, end: number): PerMessage {
    const result = this.#result;
    try {
      native.unwrapInPlace(this.#handle, buffer, start, end, result);
    } catch (error) {
      throw toError(error, this.#failureContext);
    }
    const message = this.#perMessage;
    message.offset = result[0] ?? 0;
    message.length = result[1] ?? 0;
    message.confState = result[2] === 1;
    message.supplementary = supplementaryInfo(result[3] ?? 0);
    return message;
  }

  /** gss_get_mic. */
  getMic(message: Uint8Array): Buffer {
    return this.#call(() => native.getMic(this.#handle, GSS_C_QOP_DEFAULT, message));
  }

  /** gss_verify_mic; returns the supplementary bits. */
  verifyMic(message: Uint8Array, mic: Uint8Array): number {
    return supplementaryInfo(this.#call(() => native.verifyMic(this.#handle, message, mic)).major);
  }

  /**
   * Takes the keys out for a {@link FastContext}, the caller's to close; nothing but close() may be called here then.
   *
   * @param lanes false: no message is worked on beside another
   * @returns null where that is not possible: another mechanism or enctype. The context is then as it was.
   */
  exportFast(lanes = true): FastContext | null {
    const handle = this.#call(() => native.exportFastContext(this.#handle, lanes));
    return handle === null ? null : new FastContext(handle);
  }

  /** gss_delete_sec_context, when a pending step is done. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#handle.close();
    this.#ownTarget?.close();
    this.#delegated?.close();
    this.#delegated = null;
  }

  get #failureContext(): FailureContext {
    const role = this.#initiator === undefined ? "acceptor" : "initiator";
    return { ...this.#credential?.origin, role, target: this.#target ?? this.#credential?.origin.target };
  }

  #call<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw toError(error, this.#failureContext);
    }
  }

  #step(
    kind: CallKind | "own",
    token: Uint8Array | null,
    call: () => Promise<NativeInitResult & NativeAcceptResult>,
  ): Promise<AcceptResult> {
    const step = this.#tail.then(() => this.#run(kind, token, call));
    this.#tail = step.catch(() => undefined);
    return step;
  }

  async #run(
    kind: CallKind | "own",
    token: Uint8Array | null,
    call: () => Promise<NativeAcceptResult>,
  ): Promise<AcceptResult> {
    if (this.#established)
      throw new UsageError("CONTEXT_ESTABLISHED", "the security context is established already");
    try {
      const result = await (kind === "own" ? call() : callQueue.run(kind, call));
      this.#keepDelegated(result);
      this.#flags = result.flags;
      this.#established = (result.major & GSS_S_CONTINUE_NEEDED) === 0;
      if (this.#established) this.#ownTarget?.close();
      const info = result.info === undefined ? null : contextInfo(result.info);
      return { complete: this.#established, token: result.token ?? null, info };
    } catch (error) {
      this.close();
      throw toError(error, { ...this.#failureContext, token });
    }
  }

  #keepDelegated({ delegated, impersonator, forwardable = false }: NativeAcceptResult): void {
    if (delegated === undefined) return;
    this.#delegated?.close();
    const impersonation = impersonator === undefined ? undefined : { impersonator, forwardable };
    // Of Kerberos, whether SPNEGO was around it or not.
    this.#delegated = new Credential(delegated, { role: "initiator", impersonation }, [GSS_MECH_KRB5]);
    if (this.#closed) this.close();
  }
}

function contextInfo(info: NativeContextInfo): ContextInfo {
  const { initiator = "", initiatorType, flags, lifetime, locallyInitiated, open } = info;
  return {
    initiator,
    // MIT's acceptor sets the flag only where the initiator asked for it: an anonymous ticket does not take that.
    anonymous: (flags & GSS_C_ANON_FLAG) !== 0 || isAnonymous({ text: initiator, nameType: initiatorType }),
    acceptor: info.acceptor ?? "",
    mechanism: info.mechanism ?? "",
    flags,
    lifetime,
    locallyInitiated,
    established: open,
  };
}

/** The library would take the default credential in its place: another user's, maybe. */
function wrongMechanism(mechanism: string): UsageError {
  const message = `the credential is not for the mechanism ${mechanismName(mechanism)}: acquire it with that mechanism`;
  return new UsageError("BAD_ARGUMENT", message);
}

function wrongRole(call: string, role: string): UsageError {
  return new UsageError("WRONG_ROLE", `${call}() on the security context of ${role}`);
}

/** A mechanism may protect integrity alone and say so (RFC 2744 §5.33): nothing may be sent in clear for that. */
function confidentialityMissing(call: string): GssError {
  const failure = { call, major: 0, majorText: "complete", minor: 0, minorText: "conf_state is 0" };
  return new GssError(
    "CONF_UNAVAILABLE",
    `${call}: confidentiality was asked for and the security context has none: use a mechanism that encrypts`,
    failure,
  );
}
