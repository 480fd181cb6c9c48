/**
 * A password that Kerberos knows: it must get a ticket for a service of ours, and our own keytab must accept that ticket.
 * A KDC that lies can let any password get a ticket, but it does not have our key.
 */
import { GssError, PolicyError } from "../errors.js";
import { Credential } from "../gss/credential.js";
import { importService, Name } from "../gss/name.js";
import { GSS_MECH_KRB5 } from "../gss/oids.js";
import { SecurityContext } from "../gss/security-context.js";
import type { PasswordBackend, VerifiedUser } from "./password-backend.js";

export interface KerberosPasswordOptions {
  /** The users' realm; the keytab's where absent. */
  realm?: string | undefined;
  /** The name of ours to get tickets for, as `rcmd@host` or `rcmd/host@REALM`; the keytab's first where absent. */
  service?: string | undefined;
  /** As `FILE:/etc/gssocks/krb5.keytab`; the library's default where absent. */
  keytab?: string | undefined;
}

/** What the KDC says of a user or a password, as GssError codes: the rest is not the user's fault. */
const REFUSALS = new Map([
  ["CLIENT_UNKNOWN", null],
  ["PASSWORD_WRONG", null],
  // Without preauthentication it shows in the KDC's reply, which the password does not open.
  ["BAD_TOKEN", null],
  ["PASSWORD_EXPIRED", "the password has expired: the user changes it with kpasswd"],
  ["CLIENT_LOCKED", "the account is locked or has expired"],
]);

export class KerberosPassword implements PasswordBackend {
  readonly #acceptor: Credential;
  readonly #target: Name;
  readonly #realm: string;

  /** @throws GssError where the keytab can't be used or has no key for the service */
  static async create({ realm, service, keytab }: KerberosPasswordOptions = {}): Promise<KerberosPassword> {
    const name = service === undefined ? await firstName(keytab) : importService(service);
    // What is accepted here was made here a moment ago: no replay cache is needed to know it.
    const acceptor = await Credential.acceptor({ keytab, name, rcache: "none:" }).catch((error) => {
      name.close();
      throw error;
    });
    return new KerberosPassword(acceptor, name, realm ?? realmOf((await acceptor.inquire()).name ?? ""));
  }

  private constructor(acceptor: Credential, target: Name, realm: string) {
    this.#acceptor = acceptor;
    this.#target = target;
    this.#realm = realm;
  }

  /** @returns the principal, which rules treat as a ticket's */
  async verify(username: string, password: Buffer): Promise<VerifiedUser | null> {
    const principal = principalOf(username, this.#realm);
    if (principal === null || password.includes(0)) return null;
    let credential: Credential;
    try {
      credential = await Credential.initiator({ principal, password });
    } catch (error) {
      const reason = error instanceof GssError ? REFUSALS.get(error.code) : undefined;
      if (reason === undefined) throw error;
      if (reason === null) return null;
      throw new PolicyError((error as GssError).code, reason, { cause: error });
    }
    try {
      return { principal: await this.#proven(credential), kerberos: true };
    } finally {
      credential.close();
    }
  }

  close(): void {
    this.#acceptor.close();
    this.#target.close();
  }

  /** Both ends of a security context, with our own keytab at the one. */
  async #proven(credential: Credential): Promise<string> {
    const initiator = SecurityContext.initiator({
      target: this.#target,
      credential,
      mechanism: GSS_MECH_KRB5,
      flags: 0,
    });
    const acceptor = SecurityContext.acceptor({ credential: this.#acceptor });
    try {
      const { token } = await initiator.init(null);
      const { info } = await acceptor.accept(token ?? Buffer.alloc(0)).catch(notOurs);
      if (info === null || info.initiator === "" || info.anonymous)
        throw new PolicyError("ANONYMOUS", "the ticket names no user");
      return info.initiator;
    } finally {
      initiator.close();
      acceptor.close();
    }
  }
}

async function firstName(keytab: string | undefined): Promise<Name> {
  const any = await Credential.acceptor({ keytab });
  try {
    return Name.import((await any.inquire()).name ?? "", "krb5-principal");
  } finally {
    any.close();
  }
}

function realmOf(principal: string): string {
  return principal.slice(principal.lastIndexOf("@") + 1);
}

/**
 * @returns null for a name that is none: of another realm, whose KDC a stranger could choose, or one that libkrb5 reads
 *   in another way than rules do
 */
function principalOf(username: string, realm: string): string | null {
  const [, user, given = realm] = /^([^@\\\s]+)(?:@([^@\\\s]+))?$/.exec(username) ?? [];
  if (user === undefined || given.toUpperCase() !== realm.toUpperCase()) return null;
  return `${user}@${realm}`;
}

/** Not of a clock that is wrong, say, which has a text of its own. */
function notOurs(error: unknown): never {
  if (!(error instanceof GssError) || !/^(KEYTAB_|TARGET_|BAD_TOKEN$)/.test(error.code)) throw error;
  const why =
    "the KDC gave a ticket that our keytab does not accept: the keytab is old, or another answers in the KDC's place";
  throw new GssError("KDC_NOT_PROVEN", `${why}: ${error.message}`, error, error);
}
