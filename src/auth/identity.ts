import type { X509Certificate } from "node:crypto";
import type { AuthMethodName } from "../policy/auth-methods.js";

/** Who is at the other end, as a METHOD established it. */
export interface Identity {
  readonly method: AuthMethodName;
  /** As the method names the user: `alice@EXAMPLE.TEST`, `alice`, `CN=alice`; null where nobody is named. */
  readonly principal: string | null;
  /** Whether `principal` is a Kerberos principal, which a KDC of ours stands behind. */
  readonly kerberos: boolean;
  /** GSS-API: the mechanism's name, as `krb5`. */
  readonly mechanism: string | null;
  /** GSS-API: our own name the initiator asked for, `rcmd/proxy.example.test@EXAMPLE.TEST`. */
  readonly acceptor: string | null;
  /** GSS-API: the type of the channel bindings that the context is bound with; absent where it is not. */
  readonly channelBindings?: string | null;
}

/** Somebody whom no mechanism vouches for. */
export function plainIdentity(method: AuthMethodName, principal: string | null): Identity {
  return { method, principal, kerberos: false, mechanism: null, acceptor: null };
}

/** What of a client certificate names the user. */
export const CERTIFICATE_NAMES = ["subject", "email", "dns", "uri"] as const;

export type CertificateName = (typeof CERTIFICATE_NAMES)[number];

/** One of the subject alternative names as Node writes them; a value with characters of its own syntax is in quotes. */
const ALTERNATIVE_NAME = /([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/gy;

/**
 * Who a certificate speaks for: the first name of its kind. Null where it holds none, or where that one isn't plain text:
 * no other takes its place.
 */
export function certificateIdentity(certificate: X509Certificate, by: CertificateName): Identity | null {
  const name =
    by === "subject" ? certificateSubject(certificate)?.join(", ") : alternativeName(certificate, by);
  return name === undefined || name === "" || /[\p{C}\p{Zl}\p{Zp}"]/u.test(name)
    ? null
    : plainIdentity("certificate", name);
}

/** Its subject's RDNs as RFC 4514 orders them, most specific first: `CN=alice`, `O=Example`; null where it is empty. */
export function certificateSubject({ subject }: X509Certificate): string[] | null {
  // Undefined where the subject is empty, whatever the types say.
  return (subject as string | undefined)?.split("\n").reverse() ?? null;
}

function alternativeName({ subjectAltName = "" }: X509Certificate, by: CertificateName): string | undefined {
  const found = [...subjectAltName.matchAll(ALTERNATIVE_NAME)];
  return found.find(([, kind]) => kind?.toLowerCase() === by)?.[2];
}
