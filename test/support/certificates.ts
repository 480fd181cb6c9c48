/** Certificates of a test's own, made by openssl. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { run } from "./processes.js";

export interface Certificate {
  /** Paths of PEM files. */
  readonly certificate: string;
  readonly key: string;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];

/** @param name of the files in `dir`, and of the authority */
export async function makeAuthority(dir: string, name = "ca"): Promise<Certificate> {
  const made = { certificate: path.join(dir, `${name}.pem`), key: path.join(dir, `${name}.key`) };
  // What RFC 5280 asks of an authority, and Python 3.13 insists on.
  const extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
  const subject = ["-subj", `/CN=${name}`, ...extensions.flatMap((each) => ["-addext", each])];
  await run("openssl", ["req", "-x509", ...KEY, ...subject, "-keyout", made.key, "-out", made.certificate]);
  return made;
}

/**
 * @param names alternative ones as openssl wants them, `DNS:localhost,IP:127.0.0.1`; "" for none
 * @param subject `/O=Example/CN=alice`
 */
export async function makeCertificate(
  dir: string,
  name: string,
  names: string,
  authority: Certificate,
  subject = `/CN=${name}`,
): Promise<Certificate> {
  const made = { certificate: path.join(dir, `${name}.pem`), key: path.join(dir, `${name}.key`) };
  const request = path.join(dir, `${name}.csr`);
  const extensions = path.join(dir, `${name}.ext`);
  writeFileSync(extensions, `basicConstraints=CA:FALSE\n${names === "" ? "" : `subjectAltName=${names}\n`}`);
  await run("openssl", [
    "req",
    "-new",
    "-utf8",
    ...KEY.slice(0, -2),
    "-subj",
    subject,
    "-keyout",
    made.key,
    "-out",
    request,
  ]);
  const signer = ["-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial", "-days", "2"];
  await run("openssl", [
    "x509",
    "-req",
    "-in",
    request,
    ...signer,
    "-extfile",
    extensions,
    "-out",
    made.certificate,
  ]);
  return made;
}
