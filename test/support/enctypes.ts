/** Everything that seals is tested with each (RFC 3962, RFC 8009). */
export const ENCTYPES = ["aes256-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192"] as const;

/** All that the fast path makes tokens of itself. */
export const AES_ENCTYPES = [
  "aes128-cts-hmac-sha1-96",
  "aes256-cts-hmac-sha1-96",
  "aes128-cts-hmac-sha256-128",
  "aes256-cts-hmac-sha384-192",
] as const;
