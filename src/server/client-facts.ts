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

/** What holds at the moment: both may change while a session is open. */
export interface FactSources {
  readonly directory: ClientDirectory;
  readonly ruleset: { readonly needs: Needs };
}

export class ClientFacts {
  readonly #arrival: Arrival;
  readonly #sources: FactSources;
  #found: { needs: Needs; client: Promise<Client> } | null = null;

  /** @param sources what the rules ask for, and who knows it; nothing else is looked up */
  constructor(arrival: Arrival, sources: FactSources) {
    this.#arrival = arrival;
    this.#sources = sources;
  }

  /** Looked up once for all that is judged by the same rules. */
  of(identity: Identity, level: AgreedLevel): Promise<Client> {
    const { ruleset, directory } = this.#sources;
    const { needs } = ruleset;
    if (this.#found?.needs !== needs)
      this.#found = { needs, client: this.#find(needs, directory, identity, level) };
    return this.#found.client;
  }

  async #find(
    needs: Needs,
    directory: ClientDirectory,
    identity: Identity,
    level: AgreedLevel,
  ): Promise<Client> {
    const { method, mechanism, kerberos } = identity;
    const principal = kerberos ? parsePrincipal(identity.principal ?? "") : null;
    const user = kerberos || method === "certificate" ? null : identity.principal;
    const asks = needs.localName || needs.groups.length > 0;
    const localName = principal !== null && asks ? await directory.localName(principal.text) : NO_LOCAL_NAME;
    const groups = await groupsOf(needs, directory, principal?.text ?? null, user, localName);
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
}

/** Without the local name some groups may be missing. */
async function groupsOf(
  { groups: asked }: Needs,
  directory: ClientDirectory,
  principal: string | null,
  user: string | null,
  localName: LocalName,
): Promise<Groups> {
  if (asked.length === 0) return NO_GROUPS;
  const { names, failure } = await directory.groups(principal, user ?? localName.name, asked);
  return { names, failure: failure ?? localName.failure };
}
