/** What a client says of itself in Proxy-Authorization (RFC 9110 §11.7.2): Basic (RFC 7617) and Negotiate (RFC 4559). */
import { PeerError } from "../errors.js";
import { MAX_TOKEN } from "./constants.js";
import { type Credentials, parseCredentials } from "./username-password.js";

export type HttpCredentials =
  | ({ readonly scheme: "basic" } & Credentials)
  | { readonly scheme: "negotiate"; readonly token: Buffer }
  /** One that we do not know. */
  | { readonly scheme: "other"; readonly name: string };

const TOKEN68 = /^([A-Za-z0-9+/]+)={0,2}$/;

/** @throws PeerError (BAD_CREDENTIALS, NO_USERNAME, BAD_USERNAME) */
export function parseProxyAuthorization(value: string): HttpCredentials {
  const [, name = "", rest = ""] = /^([^\s,]*)(?:[ \t]+(.*))?$/s.exec(value.trim()) ?? [];
  const scheme = name.toLowerCase();
  if (scheme === "basic") return basic(octetsOf(name, rest));
  if (scheme === "negotiate") {
    const token = octetsOf(name, rest);
    if (token.length <= MAX_TOKEN) return { scheme, token };
    throw new PeerError("TOKEN_TOO_LONG", `a token of ${token.length} octets, the most is ${MAX_TOKEN}`);
  }
  return { scheme: "other", name: name.slice(0, 40) };
}

function octetsOf(scheme: string, text: string): Buffer {
  const octets = Buffer.from(text, "base64");
  // Node takes nearly everything for base64, and leaves out what is none.
  const [, digits = ""] = TOKEN68.exec(text) ?? [];
  if (digits !== "" && octets.length === Math.floor((digits.length * 3) / 4)) return octets;
  throw new PeerError("BAD_CREDENTIALS", `Proxy-Authorization: what follows ${scheme} is not base64`);
}

/** RFC 7617 §2: the first colon ends the name. */
function basic(octets: Buffer): HttpCredentials {
  const colon = octets.indexOf(":");
  if (colon < 0) throw new PeerError("BAD_CREDENTIALS", "Proxy-Authorization: Basic without a colon");
  return { scheme: "basic", ...parseCredentials(octets.subarray(0, colon), octets.subarray(colon + 1)) };
}
