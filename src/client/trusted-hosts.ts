/** Which hosts that DNS names may be sent a token: DNS is not secure, and whoever forges it is to gain nothing. */
import { UsageError } from "../errors.js";

/** Letters, digits, `-` and `_` in labels of at most 63 octets (RFC 1035 §2.3.4). */
const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** A host name in lower case and without the root's dot; null for what is none. */
export function hostName(text: string): string | null {
  const name = text.replace(/\.$/, "").toLowerCase();
  return NAME.test(name) && /^[\x21-\x7e]+$/.test(text) ? name : null;
}

export class TrustedHosts {
  readonly #hosts = new Set<string>();
  /** Each begins with a dot. */
  readonly #suffixes: string[] = [];

  /**
   * @param patterns a host's name, or `*.example.test` for all below it
   * @throws UsageError (BAD_ARGUMENT)
   */
  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      const below = pattern.startsWith("*.");
      const name = hostName(below ? pattern.slice(2) : pattern);
      if (name === null)
        throw new UsageError("BAD_ARGUMENT", `trusted: "${pattern}" is no host name and no *.domain`);
      if (below) this.#suffixes.push(`.${name}`);
      else this.#hosts.add(name);
    }
  }

  /** @param host as {@link hostName} gives it */
  includes(host: string): boolean {
    return this.#hosts.has(host) || this.#suffixes.some((suffix) => host.endsWith(suffix));
  }
}
