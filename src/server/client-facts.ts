/** What the rules are told of a client, once it is known who it is. */
import type { Identity } from "../auth/identity.js";
import { type Client, type Groups, type LocalName, NO_GROUPS, NO_LOCAL_NAME } from "../policy/facts.js";
import { parseIp } from "../policy/ip-network.js";
import { parsePrincipal } from "../policy/principal.js";
import type { Needs } from "../policy/ruleset.js";
import { plainAddress } from "../protocol/address.js";
import type { AgreedLevel } from "../protocol/protection-level.js";

/** Where a client came in. */
export interface Arrival {
  /** The client's. */
  readonly address: string;
  /** As the configuration has it, `address:port`. */
  readonly listener: string;
  readonly tls: boolean;
  /** RDNs of its certificate's, where an authority of ours stands behind that. */
  readonly tlsSubject: readonly string[] | null;
}

/** Who knows more of a client than its authentication told. Never rejects: what can't be found out, it says. */
export interface ClientDirectory {
  localName(principal: string): Promise<LocalName>;
  /** Those of `groups` that the client is in, by its principal and by its user or local name. */
  groups(principal: string | null, user: string | null, groups: readonly string[]): Promise<Groups>;
}

export class ClientFacts {
  readonly #arrival: Arrival;
  readonly #needs: Needs;
  readonly #directory: ClientDirectory;
  #client: Promise<Client> | null = null;

  /** @param needs what the rules ask for; nothing else is looked up */
  constructor(arrival: Arrival, needs: Needs, directory: ClientDirectory) {
    this.#arrival = arrival;
    this.#needs = needs;
    this.#directory = directory;
  }

  /** Looked up once: a session's groups are those that the client was in when it came. */
  of(identity: Identity, level: AgreedLevel): Promise<Client> {
    this.#client ??= this.#find(identity, level);
    return this.#client;
  }

  async #find(identity: Identity, level: AgreedLevel): Promise<Client> {
    const { method, mechanism, kerberos } = identity;
    const principal = kerberos ? parsePrincipal(identity.principal ?? "") : null;
    const user = kerberos || method === "certificate" ? null : identity.principal;
    const asks = this.#needs.localName || this.#needs.groups.length > 0;
    const localName =
      principal !== null && asks ? await this.#directory.localName(principal.text) : NO_LOCAL_NAME;
    const groups = await this.#groups(principal?.text ?? null, user, localName);
    const { address, listener, tls, tlsSubject } = this.#arrival;
    const ip = parseIp(plainAddress(address));
    return {
      method,
      mechanism,
      principal,
      user,
      localName,
      groups,
      address: ip,
      listener,
      level,
      tls,
      tlsSubject,
    };
  }

  /** Without the local name some groups may be missing. */
  async #groups(principal: string | null, user: string | null, localName: LocalName): Promise<Groups> {
    const { groups: asked } = this.#needs;
    if (asked.length === 0) return NO_GROUPS;
    const { names, failure } = await this.#directory.groups(principal, user ?? localName.name, asked);
    return { names, failure: failure ?? localName.failure };
  }
}
