/** A directory of a test's own: slapd on two ports of 127.0.0.1, `ldap` (StartTLS) and `ldaps`, which a file fills. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { accepting } from "./accepting.js";
import type { Certificate } from "./certificates.js";
import { type Running, run, start } from "./processes.js";

const reservePort = fileURLToPath(new URL("../../../krb5-testenv/reserve-port.pl", import.meta.url));

export const SUFFIX = "dc=example,dc=test";
/** Its entry. */
export const ORGANIZATION = `dn: ${SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example
dc: example
`;
/** Who may search. */
export const SEARCHER = { dn: `cn=proxy,${SUFFIX}`, password: "proxy-password" };

export interface DirectoryOptions {
  /** LDIF below the suffix, which is there, as SEARCHER is. */
  entries: string;
  /** Without it there is no TLS. */
  certificate?: Certificate;
}

export class Directory {
  readonly ldap: string;
  readonly ldaps: string;
  readonly #dir: string;
  readonly #slapd: Running;

  private constructor(dir: string, slapd: Running, ports: readonly string[]) {
    this.#dir = dir;
    this.#slapd = slapd;
    this.ldap = `ldap://127.0.0.1:${ports[0]}`;
    this.ldaps = `ldaps://127.0.0.1:${ports[1]}`;
  }

  /** It answers when this is fulfilled. */
  static async start({ entries, certificate }: DirectoryOptions): Promise<Directory> {
    const dir = mkdtempSync(path.join(tmpdir(), "directory-"));
    const ldif = [ORGANIZATION, SEARCHERS_ENTRY, entries].join("\n");
    const { config, env } = await fillDirectory(dir, configuration(dir, certificate), ldif);
    // Each stage has a port reserved, and becomes the next.
    const listen = `exec slapd -f "$0" -d stats -h "ldap://127.0.0.1:$plain ldaps://127.0.0.1:$KDC_PORT"`;
    const second = `echo "ports $plain $KDC_PORT"; ${certificate ? listen : listen.replace(/ ldaps:[^"]*/, "")}`;
    const first = `plain=$KDC_PORT; unset KDC_PORT; export plain; exec perl "$1" sh -c '${second}' "$0"`;
    const slapd = await start("perl", [reservePort, "sh", "-c", first, config, reservePort], { env });
    const [, ...ports] = await slapd.waitForLine(/^ports (\d+) (\d+)$/);
    await slapd.waitForLine(/slapd starting/);
    for (const port of certificate ? ports : ports.slice(0, 1))
      await accepting({ port: Number(port), host: "127.0.0.1" }, slapd);
    return new Directory(dir, slapd, ports);
  }

  /** How often somebody has come with a name and a password, right or wrong. */
  get binds(): number {
    return this.#slapd.stderr().split(" method=128\n").length - 1;
  }

  logs(): string {
    return `--- slapd\n${this.#slapd.stderr().split("\n").slice(-60).join("\n")}\n`;
  }

  /** Fine to call again. */
  async stop(): Promise<void> {
    await this.#slapd.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/**
 * Makes slapd's configuration in `dir`, and its database in `dir`/db.
 * @returns the configuration's path, and the environment in which slapd is found
 */
export async function fillDirectory(dir: string, configuration: string, ldif: string) {
  const config = path.join(dir, "slapd.conf");
  const entries = path.join(dir, "entries.ldif");
  mkdirSync(path.join(dir, "db"));
  writeFileSync(config, configuration);
  writeFileSync(entries, ldif);
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  await run("slapadd", ["-f", config, "-l", entries], { env });
  return { config, env };
}

const SEARCHERS_ENTRY = `dn: ${SEARCHER.dn}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: proxy
userPassword: ${SEARCHER.password}
`;

/** No bind without encryption, and only the searcher sees anything. */
function configuration(dir: string, certificate: Certificate | undefined): string {
  const tls = certificate
    ? `TLSCertificateFile ${certificate.certificate}\nTLSCertificateKeyFile ${certificate.key}\n`
    : "";
  return `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${dir}/pid
${tls}security simple_bind=128
database mdb
suffix "${SUFFIX}"
directory ${dir}/db
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${SEARCHER.dn}" read by * none
`;
}
