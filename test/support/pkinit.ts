/** Anonymous tickets (RFC 8062): a KDC with a certificate of its own, which its clients trust. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { run } from "./processes.js";
import type { Realm } from "./realm.js";

/** Lets `kinit -n` work in a realm; its KDC is started anew. Needs Debian's krb5-pkinit. */
export async function allowAnonymous(realm: Realm): Promise<void> {
  const certificate = path.join(realm.dir, "kdc.pem");
  const key = path.join(realm.dir, "kdckey.pem");
  const request = path.join(realm.dir, "kdc.cnf");
  // RFC 4556 §3.2.4: the KDC's name is an otherName of id-pkinit-san, its purpose id-pkinit-KPKdc.
  await writeFile(
    request,
    `[req]
prompt = no
distinguished_name = subject
x509_extensions = kdc
[subject]
CN = KDC of ${realm.name}
[kdc]
basicConstraints = critical, CA:TRUE
keyUsage = digitalSignature, keyEncipherment, keyCertSign
extendedKeyUsage = 1.3.6.1.5.2.3.5
subjectAltName = otherName:1.3.6.1.5.2.2;SEQUENCE:kdc_name
[kdc_name]
realm = EXPLICIT:0, GeneralString:${realm.name}
name = EXPLICIT:1, SEQUENCE:principal
[principal]
type = EXPLICIT:0, INTEGER:2
string = EXPLICIT:1, SEQUENCE:components
[components]
first = GeneralString:krbtgt
second = GeneralString:${realm.name}
`,
  );
  const args = ["req", "-config", request, "-x509", "-newkey", "rsa:2048", "-nodes"];
  await run("openssl", [...args, "-days", "2", "-keyout", key, "-out", certificate]);
  await realm.kadmin(["addprinc -clearpolicy -randkey WELLKNOWN/ANONYMOUS"]);
  const anchors = `pkinit_anchors = FILE:${certificate}`;
  const identity = `pkinit_identity = FILE:${certificate},${key}`;
  const kdc = `[realms]\n  ${realm.name} = {\n    ${identity}\n    ${anchors}\n  }`;
  await configure(realm.env.KRB5_KDC_PROFILE as string, kdc);
  await configure(realm.env.KRB5_CONFIG as string, `[libdefaults]\n  ${anchors}`);
  await realm.stopKdc();
  await realm.startKdc();
}

/** Adds a section, and no longer disables the plugin. */
async function configure(file: string, section: string): Promise<void> {
  const text = await readFile(file, "utf8");
  await writeFile(file, `${text.replace("disable = pkinit", "")}\n${section}\n`);
}
