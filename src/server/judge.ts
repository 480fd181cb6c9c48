/** What the rules say of what one client asks for: when it asks, and again when they change. */
import type { PolicyError } from "../errors.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import type { Decision } from "../policy/decision.js";
import type { Client, CommandName } from "../policy/facts.js";
import type { Ruleset } from "../policy/ruleset.js";
import { type Endpoint, plainAddress } from "../protocol/address.js";
import type { Resolver } from "../relay/resolver.js";
import type { Way } from "../relay/udp-destinations.js";
import { type Asker, type Authorized, authorize, type Resolve } from "./authorize.js";
import { type Authorizer, consult } from "./authorizer.js";
import { allows, elsewhereDenial, firstDenial, type Grant, grantOf, RulesChangedError } from "./grant.js";

export interface JudgeOptions {
  /** Those in force whenever it is looked. */
  readonly ruleset: Ruleset;
  readonly resolver: Resolver;
  /** Has a word on what the rules allow; null: nobody has. */
  readonly authorizer: Authorizer | null;
}

export interface Asked {
  readonly command: CommandName;
  readonly method: AuthMethodName;
  readonly principal: string | null;
  /** Where it comes from. */
  readonly source: string;
  /** What the rules are told of it; looked up once for each of them. */
  readonly client: () => Promise<Client>;
  /** Of the session's end. */
  readonly signal: () => AbortSignal;
  /** Told what begins, on the way to a grant. */
  readonly entered: (phase: "dns" | "decision") => void;
}

export class Judge {
  readonly #options: JudgeOptions;
  readonly #asked: Asked;
  readonly #resolve: Resolve;
  #grant: Grant | null = null;

  constructor(options: JudgeOptions, asked: Asked) {
    this.#options = options;
    this.#asked = asked;
    const { signal } = asked;
    const client = lookupClient(asked);
    this.#resolve = (name) => options.resolver.resolve(name, client, { signal: signal() });
  }

  /** What CONNECT or BIND may reach, by the rules that are in force in the end: they may change while a name is looked up. */
  async grant(dst: Endpoint): Promise<Authorized> {
    const { entered } = this.#asked;
    const resolve: Resolve = (name) => {
      entered("dns");
      return this.#resolve(name).finally(() => entered("decision"));
    };
    for (;;) {
      const { ruleset } = this.#options;
      const asker = await this.#asker();
      const judged = await this.#authorize(ruleset, dst, asker, resolve).catch((error: Error) => error);
      if (ruleset !== this.#options.ruleset) continue;
      if (judged instanceof Error) throw judged;
      // From here on a change of the rules finds it.
      this.#grant = grantOf(dst, ruleset, asker, judged);
      return judged;
    }
  }

  /** A destination of an association. Who asks sees to it that it is asked again when the rules change. */
  async datagrams(dst: Endpoint): Promise<Authorized> {
    return this.#authorize(this.#options.ruleset, dst, await this.#asker(), this.#resolve);
  }

  async #authorize(ruleset: Ruleset, dst: Endpoint, asker: Asker, resolve: Resolve): Promise<Authorized> {
    const { authorizer } = this.#options;
    const judged = await authorize(ruleset, dst, asker, resolve);
    if (authorizer !== null) await consult(authorizer, this.#asked, dst, asker, judged);
    return judged;
  }

  /** A peer of BIND's, where any may come that the rules allow. */
  peer(address: string, port: number): Decision | undefined {
    if (this.#grant === null) return undefined;
    const { ruleset, asker } = this.#grant;
    return ruleset.evaluate({ ...asker, name: null, address, port });
  }

  /** Of what was granted nothing else will be. */
  reached(dst: Endpoint, address: string): void {
    if (this.#grant !== null) this.#grant = { ...this.#grant, dst, addresses: [address] };
  }

  /**
   * The rules have changed.
   * @param association is told which of its destinations they allow
   * @returns why what was granted may not go on; null where it may, or where nothing is granted yet
   */
  async again(
    association: { judgeAgain(allows: (dst: Endpoint, way: Way) => boolean): void } | null,
  ): Promise<PolicyError | null> {
    const { ruleset } = this.#options;
    const asker = await this.#asker();
    association?.judgeAgain((dst, way) => allows(ruleset, dst, asker, way));
    const grant = this.#grant;
    if (grant === null) return null;
    const denial =
      grant.redirect === null && grant.via === null
        ? firstDenial(grant, ruleset, asker)
        : await elsewhereDenial(grant, ruleset, asker, this.#resolve);
    if (denial !== null) return new RulesChangedError(grant.dst, denial);
    this.#grant = { ...(this.#grant ?? grant), ruleset, asker };
    return null;
  }

  async #asker(): Promise<Asker> {
    const { client, command } = this.#asked;
    return { client: await client(), command, time: Date.now() };
  }
}

/** Whose share of the look-ups it is: the user's, but where a host may name whom it likes, that host's. */
function lookupClient({ principal, method, source }: Asked): string {
  return principal !== null && isVerified(method)
    ? `the user ${principal}`
    : `the host ${plainAddress(source)}`;
}

export function isVerified(method: AuthMethodName): boolean {
  return method === "gssapi" || method === "password" || method === "certificate";
}
