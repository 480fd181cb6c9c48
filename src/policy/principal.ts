/** Kerberos principals, `primary/instance@REALM` (RFC 4120 §6.2), and patterns for them. */
import { UsageError } from "../errors.js";

export interface Principal {
  /** As the library displays it. */
  readonly text: string;
  readonly components: readonly string[];
  readonly realm: string;
}

/** One entry of a rule's `principal`. */
export interface PrincipalPattern {
  /** As it was written. */
  readonly text: string;
  readonly components: readonly ComponentPattern[];
  /** null: every realm. */
  readonly realm: string | null;
}

/**
 * `any`: every text; `person`: every one but those that end with `$`, as the names of Active Directory's machines do;
 * `machine`: those.
 */
type ComponentPattern =
  | { readonly is: "text"; readonly text: string }
  | { readonly is: "any" | "person" | "machine" };

/** What a backslash stands for before these (krb5_unparse_name); before others, for the character behind it. */
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", b: "\b", "0": "\0" };

/** @returns null where `text` is no principal with a realm */
export function parsePrincipal(text: string): Principal | null {
  const parts = split(text);
  return parts === null ? null : { text, ...parts };
}

/**
 * @param text `alice@EXAMPLE.TEST`, `*@EXAMPLE.TEST` (people: one component, no `$` at its end), `*$@EXAMPLE.TEST`
 *   (machines), `host/*@EXAMPLE.TEST`, `alice@*`
 * @throws UsageError (BAD_PRINCIPAL) that says what was expected
 */
export function parsePrincipalPattern(text: string): PrincipalPattern {
  const parts = split(text);
  if (parts === null) throw bad("name@REALM, *@REALM or service/*@REALM", text);
  const { components, realm } = parts;
  if ([realm, ...components].some((part) => !/^(\*\$?|[^*]+)$/.test(part)) || realm === "*$")
    throw bad(
      "a * only as a whole part, as *@REALM, host/*@REALM or (machines of Active Directory) *$@REALM",
      text,
    );
  const alone = components.length === 1;
  return {
    text,
    components: components.map((part) => {
      if (part === "*") return { is: alone ? "person" : "any" };
      return part === "*$" ? { is: "machine" } : { is: "text", text: part };
    }),
    realm: realm === "*" ? null : realm,
  };
}

export function matchesPrincipal(pattern: PrincipalPattern, { components, realm }: Principal): boolean {
  return (
    (pattern.realm === null || pattern.realm === realm) &&
    pattern.components.length === components.length &&
    pattern.components.every((part, index) => matchesComponent(part, components[index] as string))
  );
}

/** Whether every principal that `inner` matches is matched by `outer`. */
export function coversPrincipal(outer: PrincipalPattern, inner: PrincipalPattern): boolean {
  return (
    (outer.realm === null || outer.realm === inner.realm) &&
    outer.components.length === inner.components.length &&
    outer.components.every((part, index) => {
      const other = inner.components[index] as ComponentPattern;
      return other.is === "text"
        ? matchesComponent(part, other.text)
        : part.is === "any" || part.is === other.is;
    })
  );
}

function matchesComponent(pattern: ComponentPattern, text: string): boolean {
  switch (pattern.is) {
    case "text":
      return pattern.text === text;
    case "any":
      return true;
    case "person":
      return !text.endsWith("$");
    case "machine":
      return text.endsWith("$");
  }
}

/** `/` and `@` within a part are written with a backslash before them. */
function split(text: string): { components: string[]; realm: string } | null {
  const parts = [""];
  let realmAt = -1;
  for (let at = 0; at < text.length; at += 1) {
    let char = text[at] as string;
    if (char === "@" || (char === "/" && realmAt === -1)) {
      if (char === "@" && realmAt !== -1) return null;
      if (char === "@") realmAt = parts.length;
      parts.push("");
      continue;
    }
    if (char === "\\") {
      at += 1;
      const escaped = text[at];
      if (escaped === undefined) return null;
      char = ESCAPES[escaped] ?? escaped;
    }
    parts[parts.length - 1] += char;
  }
  const components = parts.slice(0, realmAt);
  const [realm = ""] = parts.slice(realmAt);
  return realmAt === -1 || realm === "" || components.includes("") ? null : { components, realm };
}

function bad(expected: string, found: string): UsageError {
  return new UsageError("BAD_PRINCIPAL", `expected ${expected}, found ${JSON.stringify(found)}`);
}
