import { GssError } from "../errors.js";
import { Name } from "../gss/name.js";
import { GSS_MECH_KRB5 } from "../gss/oids.js";
import type { LocalName } from "../policy/facts.js";

/** GSS_S_UNAVAILABLE (RFC 2744 §3.9.1): what the library says where no mapping leads to a name. */
const UNAVAILABLE = 16 << 16;

/** The local user that the library maps a principal to (krb5.conf, auth_to_local). Never rejects. */
export async function localNameOf(principal: string): Promise<LocalName> {
  let name: Name | null = null;
  try {
    name = Name.import(principal, "krb5-principal");
    return { name: await name.localName(GSS_MECH_KRB5), failure: null };
  } catch (error) {
    if (error instanceof GssError && error.major === UNAVAILABLE) return { name: null, failure: null };
    return {
      name: null,
      failure: `the local name of ${principal} is not known: ${(error as Error).message}`,
    };
  } finally {
    name?.close();
  }
}
