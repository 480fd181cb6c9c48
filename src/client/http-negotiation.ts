/** Our end of Negotiate (RFC 4559): tokens in base64, one context for one connection. */
import { type GssError, PeerError, PolicyError } from "../errors.js";
import { Credential } from "../gss/credential.js";
import { GSS_C_DELEG_FLAG, GSS_C_MUTUAL_FLAG, GSS_C_REPLAY_FLAG } from "../gss/flags.js";
import type { Name } from "../gss/name.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../gss/oids.js";
import { SecurityContext } from "../gss/security-context.js";
import { targetOf } from "./proxy-channel.js";
import { namesOf, type ProxyOptions, type SessionNames } from "./proxy-options.js";

const MAX_LEGS = 16;

export class HttpNegotiation {
  readonly #credential: Credential;
  readonly #own: boolean;
  readonly #target: Name;
  readonly #context: SecurityContext;
  #legs = 0;

  private constructor(credential: Credential, options: ProxyOptions, channelBindings: Buffer | undefined) {
    this.#credential = credential;
    this.#own = credential !== options.credential;
    this.#target = targetOf(options, "HTTP");
    this.#context = SecurityContext.initiator({
      target: this.#target,
      credential,
      mechanism: mechanismFor(credential, options.mechanism),
      channelBindings,
      flags: GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | (options.delegate === true ? GSS_C_DELEG_FLAG : 0),
    });
  }

  /** @throws GssError (no ticket) */
  static async begin(options: ProxyOptions, channelBindings: Buffer | undefined): Promise<HttpNegotiation> {
    const credential = options.credential ?? (await ownCredential(options.mechanism));
    return new HttpNegotiation(credential, options, channelBindings);
  }

  get established(): boolean {
    return this.#context.established;
  }

  /** @param token the proxy's; null at first. @returns ours */
  async step(token: string | null): Promise<string> {
    this.#legs += 1;
    if (this.#legs > MAX_LEGS) throw new PeerError("TOO_MANY_TOKENS", `no context after ${MAX_LEGS} tokens`);
    const { token: output } = await this.#context.init(token === null ? null : Buffer.from(token, "base64"));
    if (output === null)
      throw new PeerError("BAD_TOKEN", "the proxy wants a further token and the mechanism has none to send");
    return output.toString("base64");
  }

  /**
   * The last token, which came with the grant. Some proxies send none (squid's answer to a CONNECT has no field at all):
   * then nobody has proven who they are, and the names say so.
   */
  async finish(token: string | null): Promise<void> {
    if (token === null || this.established) return;
    try {
      const { complete } = await this.#context.init(Buffer.from(token, "base64"));
      if (complete && this.#isMutual) return;
    } catch (error) {
      throw notMutual((error as GssError).message, error);
    }
    throw notMutual("its last token does not complete the context");
  }

  get #isMutual(): boolean {
    return (this.#context.flags & GSS_C_MUTUAL_FLAG) !== 0;
  }

  async names(): Promise<SessionNames> {
    if (this.established) {
      const names = namesOf(this.#context);
      return this.#isMutual ? names : { ...names, acceptor: null };
    }
    const { name: initiator = null } = await this.#credential.inquire();
    return { initiator, acceptor: null, mechanism: null };
  }

  close(): void {
    this.#context.close();
    this.#target.close();
    if (this.#own) this.#credential.close();
  }
}

/** The user's ticket. SPNEGO would negotiate whatever else the user has, NTLM with it, where Kerberos does not do. */
async function ownCredential(mechanism: string | undefined): Promise<Credential> {
  const mechanisms = mechanism === undefined ? [GSS_MECH_KRB5, GSS_MECH_SPNEGO] : [mechanism];
  const credential = await Credential.initiator({ mechanisms });
  if (mechanism === undefined) credential.setNegotiable([GSS_MECH_KRB5]);
  return credential;
}

/** SPNEGO, as browsers do it; where the credential is not for it, Kerberos: proxies take either (RFC 4559 §4). */
function mechanismFor(credential: Credential, mechanism = GSS_MECH_SPNEGO): string {
  return credential.holds(mechanism) || mechanism !== GSS_MECH_SPNEGO ? mechanism : GSS_MECH_KRB5;
}

function notMutual(why: string, cause?: unknown): PolicyError {
  return new PolicyError("NOT_MUTUAL", `the proxy did not prove who it is: ${why}`, { cause });
}
