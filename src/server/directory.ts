/** Asks after clients' groups and local names, and remembers the answers for a while. */
import type { GroupSource } from "../auth/group-sources.js";
import type { Groups, LocalName } from "../policy/facts.js";
import { AgedCache } from "./aged-cache.js";
import type { ClientDirectory } from "./client-facts.js";
import { localNameOf } from "./local-names.js";

export interface DirectoryOptions {
  readonly sources: readonly GroupSource[];
  /** How old an answer may be, in ms. */
  readonly maxAge: number;
}

/** Clients whose answers are remembered. */
const REMEMBERED = 10_000;

/** What could not be found out is not asked for again that long, in ms: a directory that is down has to come up. */
const FAILED_FOR = 2000;

export class Directory implements ClientDirectory {
  readonly #sources: readonly GroupSource[];
  readonly #localNames: AgedCache<LocalName>;
  readonly #groups: AgedCache<Groups>;

  constructor({ sources, maxAge }: DirectoryOptions, clock?: () => number) {
    const age = ({ failure }: LocalName | Groups) =>
      failure === null ? maxAge : Math.min(maxAge, FAILED_FOR);
    this.#sources = sources;
    this.#localNames = new AgedCache<LocalName>(REMEMBERED, age, clock);
    this.#groups = new AgedCache<Groups>(REMEMBERED, age, clock);
  }

  localName(principal: string): Promise<LocalName> {
    return this.#localNames.get(principal, () => localNameOf(principal));
  }

  groups(principal: string | null, user: string | null, groups: readonly string[]): Promise<Groups> {
    const key = JSON.stringify([principal, user, groups]);
    return this.#groups.get(key, () => this.#ask(principal, user, groups));
  }

  /** Each source adds to what the others know, and a source that fails leaves the rest unknown. */
  async #ask(principal: string | null, user: string | null, groups: readonly string[]): Promise<Groups> {
    const answers = await Promise.allSettled(
      this.#sources.map((source) => source.groupsOf(principal, user, groups)),
    );
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const failed = answers.flatMap((answer) =>
      answer.status === "rejected" ? [answer.reason as Error] : [],
    );
    const names = new Set(found.filter((name) => groups.includes(name)));
    const failure = failed.length === 0 ? null : `the client's groups are not known: ${failed[0]?.message}`;
    return { names, failure };
  }
}
