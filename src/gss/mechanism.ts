import { toError } from "./gss-error.js";
import { native } from "./native.js";
import { mechanismName } from "./oids.js";

export interface Mechanism {
  /** Its short name, as `krb5`; the OID where it has none. */
  name: string;
  oid: string;
  /** Its SASL name (RFC 5801); empty where it has none. */
  saslName: string;
  /** OIDs of its attributes (RFC 5587). */
  attributes: string[];
}

/** gss_indicate_mechs: what the library offers on this machine, its plugins included. */
export function mechanisms(): Mechanism[] {
  return orElse(() => native.indicateMechs(), []).map((oid) => ({
    name: mechanismName(oid),
    oid,
    saslName: orElse(() => native.inquireSaslnameForMech(oid).saslName, ""),
    attributes: orElse(() => native.inquireAttrsForMech(oid).attributes, []),
  }));
}

/** Not every mechanism knows all about itself; what is wrong with a call is still told. */
function orElse<T>(call: () => T, nothing: T): T {
  try {
    return call();
  } catch (error) {
    const known = toError(error);
    if ((known as { major?: number }).major === undefined) throw known;
    return nothing;
  }
}
