/** Our end of Negotiate (RFC 4559): tokens in base64, one context for one connection. */
import { type GssError, PeerError, PolicyError } from "../errors.js";
import { GSS_C_DELEG_FLAG, GSS_C_MUTUAL_FLAG, GSS_C_REPLAY_FLAG } from "../gss/flags.js";
import type { Name } from "../gss/name.js";
import { GSS_MECH_SPNEGO } from "../gss/oids.js";
import { SecurityContext } from "../gss/security-context.js";
import { targetOf } from "./proxy-channel.js";
import { namesOf, type ProxyOptions, type SessionNames } from "./proxy-options.js";

const MAX_LEGS = 16;

export class HttpNegotiation {
  readonly #options: ProxyOptions;
  readonly #target: Name;
  readonly #context: SecurityContext;
  #legs = 0;

  constructor(options: ProxyOptions, channelBindings: Buffer | undefined) {
    const { credential, delegate } = options;
    this.#options = options;
    this.#target = targetOf(options, "HTTP");
    this.#context = SecurityContext.initiator({
      target: this.#target,
      credential,
      mechanism: mechanismFor(options),
      channelBindings,
      flags: GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | (delegate === true ? GSS_C_DELEG_FLAG : 0),
    });
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
      if (complete && (this.#context.flags & GSS_C_MUTUAL_FLAG) !== 0) return;
    } catch (error) {
      throw notMutual((error as GssError).message, error);
    }
    throw notMutual("its last token does not complete the context");
  }

  async names(): Promise<SessionNames> {
    if (this.established) return namesOf(this.#context);
    const { credential } = this.#options;
    const initiator = credential === undefined ? null : ((await credential.inquire()).name ?? null);
    return { initiator, acceptor: null, mechanism: null };
  }

  close(): void {
    this.#context.close();
    this.#target.close();
  }
}

/** SPNEGO, as browsers do it; where the credential is not for it, what it is for: proxies take either (RFC 4559 §4). */
function mechanismFor({ mechanism, credential }: ProxyOptions): string | undefined {
  if (mechanism !== undefined) return mechanism;
  return credential === undefined || credential.holds(GSS_MECH_SPNEGO) ? GSS_MECH_SPNEGO : undefined;
}

function notMutual(why: string, cause?: unknown): PolicyError {
  return new PolicyError("NOT_MUTUAL", `the proxy did not prove who it is: ${why}`, { cause });
}
