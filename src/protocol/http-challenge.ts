/**
 * What an HTTP proxy wants to be shown (RFC 9110 §11.3, §11.7.1), as far as we do any of it: the schemes by name, and the
 * token of one that has a token68 (RFC 4559 §4.1: Negotiate).
 *
 *     Proxy-Authenticate: Negotiate oYG1MIGy...==, Basic realm="a proxy, or two"
 */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** What follows it where that is no parameter; empty for none. */
  readonly token: string;
}

/** A scheme, and one token68 or the first of its parameters. A parameter alone has no scheme before it. */
const CHALLENGE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+(.*))?$/;

const TOKEN68 = /^[A-Za-z0-9._~+/-]+=*$/;

/** Commas that are not within quotes part the members. */
const MEMBERS = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g;

/** @param values of the field's lines; a line may hold several challenges */
export function parseChallenges(values: readonly string[]): Challenge[] {
  return values
    .flatMap((value) => value.match(MEMBERS) ?? [])
    .flatMap((member) => {
      const [match, scheme = "", rest = ""] = CHALLENGE.exec(member.trim()) ?? [];
      if (match === undefined || rest.startsWith("=")) return [];
      return [{ scheme: scheme.toLowerCase(), token: TOKEN68.test(rest) ? rest : "" }];
    });
}
