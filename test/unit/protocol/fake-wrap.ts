/** Made-up tokens: the machines never look inside one. A wrapped octet is that octet behind 0xee. */
import { GssError } from "../../../src/errors.js";

export function wrap(octets: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0xee), octets]);
}

export function unwrap(token: Buffer): Buffer {
  if (token[0] !== 0xee) throw gssError();
  return token.subarray(1);
}

/** As the library's, for a token it can't read. */
export function gssError(): GssError {
  return new GssError("BAD_TOKEN", "defective token", {
    call: "gss_unwrap",
    major: 9 << 16,
    majorText: "invalid token",
    minor: 0,
    minorText: "",
  });
}
