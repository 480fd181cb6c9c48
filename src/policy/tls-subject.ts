/** Subjects of certificates, most specific part first as RFC 4514 writes them, and patterns for them. */
import { UsageError } from "../errors.js";

/** One entry of a rule's `tlsSubject`. */
export interface SubjectPattern {
  /** As it was written. */
  readonly text: string;
  /** The pattern began with `*`: whatever stands below these. */
  readonly below: boolean;
  readonly rdns: readonly string[];
}

/**
 * @param text `CN=alice, O=Example`, or `*, O=Example` for everything below that
 * @throws UsageError (BAD_SUBJECT)
 */
export function parseSubjectPattern(text: string): SubjectPattern {
  const rdns = parseSubject(text);
  const below = rdns[0] === "*";
  if (below) rdns.shift();
  if (rdns.length === 0 || !rdns.every((rdn) => /^[A-Za-z0-9.]+=./.test(rdn))) {
    const expected = "a subject as CN=alice, O=Example, or *, O=Example for all below that";
    throw new UsageError("BAD_SUBJECT", `expected ${expected}, found ${JSON.stringify(text)}`);
  }
  return { text, below, rdns };
}

/** By whole parts: text with a comma in it must not look like a part of its own. */
export function matchesSubject({ below, rdns }: SubjectPattern, subject: readonly string[]): boolean {
  const from = subject.length - rdns.length;
  if (below ? from < 1 : from !== 0) return false;
  return rdns.every((rdn, index) => rdn === subject[from + index]);
}

/** Its RDNs, which commas part that have no backslash before them. */
export function parseSubject(text: string): string[] {
  const parts = text.match(/(?:\\.|[^\\,])+/gs) ?? [];
  return parts.map((part) => part.trim());
}
