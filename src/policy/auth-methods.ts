/**
 * How a client was authenticated, as rules and the audit call it. `ident`: SOCKS4, the client's host vouches (RFC 1413).
 * `asserted`: SOCKS4, the client says so itself. `certificate`: TLS. `none`: nobody asked. `empty`: SOCKS4 without a
 * USERID where one was asked for.
 */
export const AUTH_METHODS = [
  "gssapi",
  "password",
  "certificate",
  "ident",
  "asserted",
  "none",
  "empty",
] as const;

export type AuthMethodName = (typeof AUTH_METHODS)[number];

/** Only a rule that names it lets such a client in: no listener's configuration asked for it. */
export function needsNaming(method: AuthMethodName): boolean {
  return method === "empty";
}

/** Whether a name came with proof, or with the word of somebody but the client. */
export function isProven(method: AuthMethodName): boolean {
  return method !== "asserted";
}
