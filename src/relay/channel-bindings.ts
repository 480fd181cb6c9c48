/** Channel bindings of a TLS session, as GSS-API's application data takes them: the type's name, a colon, the octets. */
import { createHash, X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { PolicyError } from "../errors.js";

/**
 * tls-server-end-point (RFC 5929 §4): the hash of the server's certificate, by its signature's own algorithm, but
 * SHA-256 in place of MD5 and SHA-1.
 * @param der the certificate
 */
export function serverEndPointBindings(der: Uint8Array): Buffer {
  const hash = createHash(signatureHash(der)).update(der).digest();
  return Buffer.concat([Buffer.from("tls-server-end-point:"), hash]);
}

/**
 * tls-exporter (RFC 9266).
 * @throws PolicyError (NO_CHANNEL_BINDINGS) below TLS 1.3, where it is not unique to the session
 */
export function exporterBindings(socket: TLSSocket): Buffer {
  if (socket.getProtocol() !== "TLSv1.3") {
    throw new PolicyError(
      "NO_CHANNEL_BINDINGS",
      "tls-exporter channel bindings need TLS 1.3 (tls.minVersion)",
    );
  }
  const secret = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
  return Buffer.concat([Buffer.from("tls-exporter:"), secret]);
}

/**
 * Signature algorithms whose hash is not SHA-256, as DER: OIDs (RFC 4055, RFC 5758), and RSA-PSS, whose hash is the first
 * of its parameters (RFC 4055 §3.1).
 */
const HASHES: readonly (readonly [algorithm: RegExp, hash: string])[] = [
  [/^06092a864886f70d01010c/, "sha384"],
  [/^06092a864886f70d01010d/, "sha512"],
  [/^06092a864886f70d01010e/, "sha224"],
  [/^06082a8648ce3d040303/, "sha384"],
  [/^06082a8648ce3d040304/, "sha512"],
  [/^06082a8648ce3d040301/, "sha224"],
  [/^06092a864886f70d01010a30..a0..30..0609608648016503040202/, "sha384"],
  [/^06092a864886f70d01010a30..a0..30..0609608648016503040203/, "sha512"],
  [/^06092a864886f70d01010a30..a0..30..0609608648016503040204/, "sha224"],
];

function signatureHash(der: Uint8Array): string {
  // Ed25519 has no hash of its own: SHA-256 is what others take.
  const algorithm = signatureAlgorithm(der);
  return HASHES.find(([pattern]) => pattern.test(algorithm))?.[1] ?? "sha256";
}

/** Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID … }, … } (RFC 5280 §4.1), in hex. */
function signatureAlgorithm(der: Uint8Array): string {
  // Parsing it first makes sure that it is a certificate.
  const octets = Buffer.from(new X509Certificate(der).raw);
  const whole = contentOf(octets, 0);
  const tbs = contentOf(octets, whole.start);
  return octets.toString("hex", contentOf(octets, tbs.end).start);
}

/** Where the content of the DER element at `at` begins and ends. */
function contentOf(octets: Buffer, at: number): { start: number; end: number } {
  const first = octets.readUInt8(at + 1);
  const long = first >= 0x80 ? first - 0x80 : 0;
  const length = long === 0 ? first : octets.readUIntBE(at + 2, long);
  const start = at + 2 + long;
  return { start, end: start + length };
}
