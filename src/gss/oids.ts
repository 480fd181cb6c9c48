/** Object identifiers of mechanisms and name types, in dots. */

/** Kerberos 5 (RFC 4121). */
export const GSS_MECH_KRB5 = "1.2.840.113554.1.2.2";
/** Negotiation (RFC 4178). */
export const GSS_MECH_SPNEGO = "1.3.6.1.5.5.2";
/** Kerberos with the acceptor as a relay to the KDC. */
export const GSS_MECH_IAKERB = "1.3.6.1.5.2.5";
export const GSS_MECH_NTLMSSP = "1.3.6.1.4.1.311.2.2.10";

// Name types (RFC 2744 §4, RFC 1964 §2.1).
export const GSS_C_NT_USER_NAME = "1.2.840.113554.1.2.1.1";
export const GSS_C_NT_HOSTBASED_SERVICE = "1.2.840.113554.1.2.1.4";
export const GSS_C_NT_ANONYMOUS = "1.3.6.1.5.6.3";
export const GSS_C_NT_EXPORT_NAME = "1.3.6.1.5.6.4";
export const GSS_KRB5_NT_PRINCIPAL_NAME = "1.2.840.113554.1.2.2.1";

const MECHANISMS: readonly (readonly [name: string, oid: string])[] = [
  ["krb5", GSS_MECH_KRB5],
  ["spnego", GSS_MECH_SPNEGO],
  ["iakerb", GSS_MECH_IAKERB],
  ["ntlmssp", GSS_MECH_NTLMSSP],
];

const OID = /^[0-2](\.(0|[1-9]\d*))+$/;

/** The short name of a mechanism; the OID itself where it has none. */
export function mechanismName(oid: string): string {
  return MECHANISMS.find(([, known]) => known === oid)?.[0] ?? oid;
}

/** A mechanism by its short name (any case) or by its OID; undefined for anything else. */
export function parseMechanism(text: string): string | undefined {
  if (OID.test(text)) return text;
  return MECHANISMS.find(([name]) => name === text.toLowerCase())?.[1];
}

const IAKERB_DER = Buffer.from("06062b0601050205", "hex");

/** Whether a token is one of IAKERB, or has one inside (SPNEGO): each of them begins with its OID (RFC 2743 §3.1). */
export function holdsIakerb(token: Uint8Array): boolean {
  return Buffer.from(token.buffer, token.byteOffset, token.byteLength).includes(IAKERB_DER);
}
