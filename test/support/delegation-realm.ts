/**
 * A realm whose KDC knows constrained delegation (S4U2Proxy). MIT's does with its database in a directory alone, which is a
 * slapd of the test's own, on a Unix socket.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { accepting } from "./accepting.js";
import { fillDirectory, ORGANIZATION, SUFFIX } from "./directory.js";
import { start } from "./processes.js";
import { Realm } from "./realm.js";
import { showOnFailure } from "./show-on-failure.js";

const SCHEMA = "/usr/share/doc/krb5-kdc-ldap/kerberos.schema.gz";

/**
 * All of it is stopped when the test ends. The services are made, and their keys are in the realm's keytab.
 * @param services by their principals, and those that each may act towards in its clients' place
 */
export async function delegationRealm(
  context: TestContext,
  services: Readonly<Record<string, readonly string[]>>,
): Promise<Realm> {
  const dir = mkdtempSync(path.join(tmpdir(), "kdc-directory-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(path.join(dir, "kerberos.schema"), gunzipSync(readFileSync(SCHEMA)));
  const entries = Object.entries(services).map(([service, allowed]) => entryOf(service, allowed));
  const { config, env } = await fillDirectory(dir, configuration(dir), [ORGANIZATION, ...entries].join("\n"));
  const socket = path.join(dir, "socket");
  const uri = `ldapi://${encodeURIComponent(socket)}`;
  const slapd = await start("slapd", ["-f", config, "-d", "stats", "-h", uri], { env });
  context.after(() => slapd.stop());
  await accepting({ path: socket }, slapd);
  const realm = await Realm.start({ ldap: `${uri}/${SUFFIX}` });
  showOnFailure(context, () => realm.logs());
  context.after(() => realm.stop());
  await realm.kadmin(
    Object.keys(services).flatMap((service) => [
      `addprinc -clearpolicy -randkey -x dn=${dnOf(service)} ${service}`,
      `ktadd -k ${realm.keytab} ${service}`,
    ]),
  );
  return realm;
}

function dnOf(service: string): string {
  return `cn=${service.split("@", 1)[0]},${SUFFIX}`;
}

/** It becomes a principal later; that it may act for others is not among what kadmin can say. */
function entryOf(service: string, allowed: readonly string[]): string {
  const lines = allowed.map((each) => `krbAllowedToDelegateTo: ${each}`);
  return `dn: ${dnOf(service)}
objectClass: applicationProcess
objectClass: krbPrincipalAux
cn: ${service.split("@", 1)[0]}
${lines.map((line) => `${line}\n`).join("")}`;
}

/** Who runs the test may do everything, by the socket's credentials, and nobody else anything. */
function configuration(dir: string): string {
  const self = `gidNumber=${process.getgid?.()}+uidNumber=${process.getuid?.()},cn=peercred,cn=external,cn=auth`;
  return `include /etc/ldap/schema/core.schema
include ${dir}/kerberos.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${dir}/pid
database mdb
suffix "${SUFFIX}"
directory ${dir}/db
access to * by dn.exact="${self}" manage by * none
`;
}
