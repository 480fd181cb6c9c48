/** Host names as rules see them: lower case, without the root's dot. */

/**
 * Letters, digits, `-` and `_` in labels of at most 63 octets (RFC 1035 §2.3.4). Nothing else may reach a resolver:
 * it would fold Unicode or undo a `\098` escape (RFC 1035 §5.1) into a name that no rule has seen.
 */
const NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** @returns the normalised name; null where `text` is not a host name */
export function parseName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, "");
  // On what was sent: toLowerCase makes an ASCII k of U+212A, the Kelvin sign.
  return isAscii(text) && NAME.test(name) ? name : null;
}

/** Whether getaddrinfo may take the name for an IPv4 address: its last label is a number (`127.1`, `0x7f.1`). */
export function looksLikeAddress(name: string): boolean {
  return /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name);
}

/** Whether the name has no dot and is one that no resolver takes for an address. */
export function isLocalName(name: string): boolean {
  return !name.includes(".") && !looksLikeAddress(name);
}

export function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
