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

/** Mechanisms that take tickets. */
const KERBEROS: readonly string[] = [
  GSS_MECH_KRB5,
  GSS_MECH_IAKERB,
  // krb5 before it had its number, and as Windows cut that to 16 bits.
  "1.3.5.1.5.2",
  "1.2.840.48018.1.2.2",
];

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

/** Whether Kerberos (or nothing but the negotiation of it) is behind a mechanism. */
export function isKerberos(oid: string): boolean {
  return oid === GSS_MECH_SPNEGO || KERBEROS.includes(oid);
}

const KRB5_DER = Buffer.from("06092a864886f712010202", "hex");
const IAKERB_DER = Buffer.from("06062b0601050205", "hex");
const NTLMSSP_SIGNATURE = Buffer.from("NTLMSSP\0");

/** Whether a token is one of IAKERB, or has one inside (SPNEGO): each of them begins with its OID (RFC 2743 §3.1). */
export function holdsIakerb(token: Uint8Array | null | undefined): boolean {
  return token instanceof Uint8Array && asBuffer(token).includes(IAKERB_DER);
}

/** Whether a token says that it is of Kerberos 5, and of nothing that negotiates it or carries it elsewhere. */
export function beginsKerberos(token: Uint8Array): boolean {
  const at = mechanismAt(token);
  return asBuffer(token.subarray(at, at + KRB5_DER.length)).equals(KRB5_DER);
}

/** The same of NTLMSSP, whose tokens begin with a signature. */
export function holdsNtlmssp(token: Uint8Array | null | undefined): boolean {
  return token instanceof Uint8Array && asBuffer(token).includes(NTLMSSP_SIGNATURE);
}

/**
 * The mechanism that a context's first token says it is of; undefined where it does not say.
 *
 *     60 | length (1 to 5 octets) | 06 | length | OID | the mechanism's own          RFC 2743 §3.1
 *     "NTLMSSP" 00 ...                                                                NTLMSSP has no such header
 */
export function tokenMechanism(token: Uint8Array): string | undefined {
  if (asBuffer(token.subarray(0, NTLMSSP_SIGNATURE.length)).equals(NTLMSSP_SIGNATURE))
    return GSS_MECH_NTLMSSP;
  const at = mechanismAt(token);
  const length = token[at + 1] ?? 0;
  if (token[0] !== 0x60 || token[at] !== 0x06 || length === 0 || length >= 0x80) return undefined;
  const octets = token.subarray(at + 2, at + 2 + length);
  return octets.length === length ? dotted(octets) : undefined;
}

/** Where its OID begins, behind the length. */
function mechanismAt(token: Uint8Array): number {
  const first = token[1] ?? 0;
  return 2 + (first < 0x80 ? 0 : first & 0x7f);
}

/** X.690 §8.19: arcs in groups of seven bits, the first two in one. */
function dotted(octets: Uint8Array): string | undefined {
  const arcs: number[] = [];
  let arc = 0;
  for (const [index, octet] of octets.entries()) {
    arc = arc * 128 + (octet & 0x7f);
    if (!Number.isSafeInteger(arc)) return undefined;
    if (octet >= 0x80) {
      if (index === octets.length - 1) return undefined;
      continue;
    }
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40));
      arcs.push(root, arc - root * 40);
    } else {
      arcs.push(arc);
    }
    arc = 0;
  }
  return arcs.join(".");
}

function asBuffer(octets: Uint8Array): Buffer {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
}
