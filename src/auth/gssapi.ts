/** METHOD 0x01 on the server: contexts accepted with our keytab (RFC 1961 §3.6, §4). */
import { type GssocksError, PolicyError } from "../errors.js";
import { Credential } from "../gss/credential.js";
import { GSS_C_CHANNEL_BOUND_FLAG, GSS_C_CONF_FLAG, GSS_C_INTEG_FLAG } from "../gss/flags.js";
import { importService } from "../gss/name.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO, isKerberos, mechanismName } from "../gss/oids.js";
import { SecurityContext } from "../gss/security-context.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { Identity } from "./identity.js";
import { type ImpersonationOptions, Impersonators } from "./impersonators.js";

export interface GssapiMethodOptions {
  /** As `FILE:/etc/gssocks/krb5.keytab`; the library's default where absent. */
  keytab?: string | undefined;
  /** OIDs of the mechanisms a client may use; SPNEGO negotiates among the others. */
  mechanisms: readonly string[];
  /** Names of ours a client may ask for, as `rcmd@host` or `rcmd/host@REALM`; any key of the keytab where absent. */
  targetNames?: readonly string[] | undefined;
  /** For where clients delegate nothing, and the KDC lets us act in their place; not done where absent. */
  impersonation?: ImpersonationOptions | undefined;
}

/** What there is of a client's to show to others in its place. */
export interface Delegated {
  /** Its own that it delegated, or one for S4U2Proxy; null for neither. Stays the context's. */
  readonly credential: Credential | null;
  /** Why we have no ticket to ask the KDC with. */
  readonly failure: GssocksError | null;
}

export const NOTHING_DELEGATED: Delegated = { credential: null, failure: null };

/** What ties a security context to the TLS session it is established in (RFC 5056). */
export interface ChannelBindings {
  /** As `tls-exporter:` and the octets behind it (RFC 5929, RFC 9266). */
  data: Uint8Array;
  /** Refuse clients that do not bind. Bindings that differ are refused by the library in any case. */
  required: boolean;
}

/** What one token of the client gave. */
export type AuthStep =
  | { readonly complete: false; readonly token: Buffer | null }
  | { readonly complete: true; readonly token: Buffer | null; readonly identity: Identity };

export class GssapiMethod {
  readonly #credential: Credential;
  readonly #options: GssapiMethodOptions;
  readonly #targetNames: readonly string[] | null;
  readonly #impersonators: Impersonators | null;

  /**
   * Acquires the credential. The library reads the keytab anew for each context, so rotated keys need no restart.
   * @throws GssError where the keytab is missing, unreadable or holds no key
   */
  static async create(options: GssapiMethodOptions): Promise<GssapiMethod> {
    const targetNames = options.targetNames && (await Promise.all(options.targetNames.map(canonical)));
    const credential = await acquire(options);
    if (options.mechanisms.includes(GSS_MECH_SPNEGO)) {
      credential.setNegotiable(options.mechanisms.filter((oid) => oid !== GSS_MECH_SPNEGO));
    }
    return new GssapiMethod(credential, options, targetNames ?? null);
  }

  private constructor(
    credential: Credential,
    options: GssapiMethodOptions,
    targetNames: readonly string[] | null,
  ) {
    this.#credential = credential;
    this.#options = options;
    this.#targetNames = targetNames;
    const { impersonation, mechanisms } = options;
    this.#impersonators = impersonation === undefined ? null : new Impersonators(impersonation, mechanisms);
  }

  /** What the next context will find. @throws GssError where the keytab is gone, unreadable or empty */
  async check(): Promise<void> {
    (await acquire(this.#options)).close();
  }

  /** @param bindings of the TLS session below, where there is one */
  begin(bindings: ChannelBindings | null = null): GssapiExchange {
    return new GssapiExchange({
      credential: this.#credential,
      impersonators: this.#impersonators,
      mechanisms: this.#options.mechanisms,
      targetNames: this.#targetNames,
      bindings,
    });
  }

  close(): void {
    this.#credential.close();
    this.#impersonators?.close();
  }
}

function acquire({ keytab, mechanisms }: GssapiMethodOptions): Promise<Credential> {
  return Credential.acceptor({ keytab, mechanisms });
}

interface ExchangeParts {
  readonly credential: Credential;
  readonly impersonators: Impersonators | null;
  readonly mechanisms: readonly string[];
  readonly targetNames: readonly string[] | null;
  readonly bindings: ChannelBindings | null;
}

/** One client's context. */
export class GssapiExchange {
  readonly #parts: ExchangeParts;
  #context: SecurityContext;
  /** Those that may have another credential for the first token. */
  #impersonators: Impersonators | null;
  #failure: GssocksError | null = null;
  #closed = false;
  /** The client's, once its context is complete, even where it is refused then. */
  principal: string | null = null;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    this.#impersonators = parts.impersonators;
    this.#context = this.#contextWith(parts.credential);
  }

  get context(): SecurityContext {
    return this.#context;
  }

  get delegated(): Delegated {
    return { credential: this.#context.delegated, failure: this.#failure };
  }

  /** @throws GssError, PolicyError where the client is refused */
  async step(token: Buffer): Promise<AuthStep> {
    const { mechanisms, targetNames, bindings } = this.#parts;
    if (this.#impersonators !== null) await this.#chooseCredential(this.#impersonators, token);
    const { token: output, info } = await this.#context.accept(token);
    if (info === null) return { complete: false, token: output };
    const { initiator, anonymous, acceptor, mechanism } = info;
    this.principal = initiator;
    if (!mechanisms.includes(mechanism)) {
      throw new PolicyError(
        "MECHANISM_NOT_ALLOWED",
        `the mechanism ${mechanismName(mechanism)} is not allowed (gssapi.mechanisms)`,
      );
    }
    if (anonymous) throw new PolicyError("ANONYMOUS", "the client is anonymous");
    const bound = (this.#context.flags & GSS_C_CHANNEL_BOUND_FLAG) !== 0;
    if (bindings?.required && !bound) {
      throw new PolicyError(
        "CHANNEL_BINDINGS_MISSING",
        "the client's context is not bound to this TLS session (tls.channelBindings)",
      );
    }
    if (targetNames !== null && !targetNames.some((allowed) => isTarget(acceptor, allowed))) {
      const asked = acceptor === "" ? `a name that ${mechanismName(mechanism)} does not tell` : acceptor;
      throw new PolicyError(
        "TARGET_NOT_ALLOWED",
        `the client asked for ${asked}, which is not in gssapi.targetNames`,
      );
    }
    const identity: Identity = {
      method: "gssapi",
      principal: initiator,
      kerberos: isKerberos(mechanism),
      mechanism: mechanismName(mechanism),
      acceptor,
      channelBindings: bound && bindings !== null ? typeOf(bindings) : null,
    };
    return { complete: true, token: output, identity };
  }

  /** Those of `allowed` that the context's services make possible (RFC 1961 §4.1). */
  levels(allowed: readonly AgreedLevel[]): AgreedLevel[] {
    const needed = {
      none: 0,
      integrity: GSS_C_INTEG_FLAG,
      confidentiality: GSS_C_INTEG_FLAG | GSS_C_CONF_FLAG,
    };
    return allowed.filter((level) => (this.#context.flags & needed[level]) === needed[level]);
  }

  close(): void {
    this.#closed = true;
    this.#context.close();
  }

  async #chooseCredential(impersonators: Impersonators, token: Buffer): Promise<void> {
    this.#impersonators = null;
    const { credential, failure } = await impersonators.find(token);
    this.#failure = failure;
    if (credential === null || this.#closed) return;
    this.#context.close();
    this.#context = this.#contextWith(credential);
  }

  #contextWith(credential: Credential): SecurityContext {
    return SecurityContext.acceptor({ credential, channelBindings: this.#parts.bindings?.data });
  }
}

/** What stands before the colon. */
function typeOf({ data }: ChannelBindings): string {
  return Buffer.from(data.subarray(0, data.indexOf(0x3a))).toString("latin1");
}

/** A target name as the mechanism will display it; `@` alone at the end where the realm is not known here. */
async function canonical(text: string): Promise<string> {
  const name = importService(text);
  try {
    const mechanismsName = await name.canonicalize(GSS_MECH_KRB5);
    const displayed = mechanismsName.toString();
    mechanismsName.close();
    return displayed;
  } finally {
    name.close();
  }
}

function isTarget(acceptor: string, allowed: string): boolean {
  return allowed.endsWith("@") ? acceptor.startsWith(allowed) : acceptor === allowed;
}
