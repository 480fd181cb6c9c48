/** A password that a directory knows: the user's entry is searched for, then bound to with the password (RFC 4513 §5.1). */
import { isUtf8 } from "node:buffer";
import {
  AndFilter,
  type Client,
  type Entry,
  EqualityFilter,
  type Filter,
  FilterParser,
  ResultCodeError,
} from "ldapts";
import { ConfigError, NetworkError, PolicyError, UsageError } from "../errors.js";
import { checkUsername } from "../protocol/username-password.js";
import { type DirectoryServer, printable, withDirectory } from "./ldap-connection.js";
import type { PasswordBackend, VerifiedUser } from "./password-backend.js";
import { readRegularFile } from "./regular-file.js";

export interface LdapBindOptions {
  /** `ldaps://host[:port]`, or `ldap://host[:port]`, where StartTLS comes before anything else. */
  url: string;
  /** A file of certificates in PEM that the directory's may be signed with; Node's where absent. */
  ca?: string | undefined;
  /** The DN below which users are. */
  base: string;
  /** Holds the name that users type, and is the principal. */
  nameAttribute: string;
  /** What a user's entry must match besides, as RFC 4515 writes it. */
  filter?: string | undefined;
  /** Whom to search as; anonymous where absent. */
  bindDn?: string | undefined;
  /** Its first line is the password of bindDn; read for each attempt. */
  bindPasswordFile?: string | undefined;
  /** For one attempt, in ms. */
  timeout?: number | undefined;
}

/** Within the time that PasswordMethod waits. */
const TIMEOUT = 10_000;

/** Of certificates; all of Debian's have 220 KB. */
const LARGEST_FILE = 1 << 20;

/** What a bind is refused with where name or password is wrong (RFC 4511 §4.1.9). */
const INAPPROPRIATE_AUTHENTICATION = 48;
const INVALID_CREDENTIALS = 49;
/** ... and where they may be right, and the entry has no leave: locked, expired, a password that must be changed. */
const CONSTRAINT_VIOLATION = 19;
const INSUFFICIENT_ACCESS = 50;
const UNWILLING_TO_PERFORM = 53;

export class LdapBind implements PasswordBackend {
  readonly #options: LdapBindOptions;
  readonly #server: DirectoryServer;
  readonly #filter: Filter | null;

  /** Asks nothing of the directory yet. @throws ConfigError, UsageError */
  static async create(options: LdapBindOptions): Promise<LdapBind> {
    const ca = options.ca === undefined ? undefined : await text(options.ca);
    const backend = new LdapBind(options, { url: options.url, ca, timeout: options.timeout ?? TIMEOUT });
    if (options.bindPasswordFile !== undefined) await bindPassword(options.bindPasswordFile);
    return backend;
  }

  private constructor(options: LdapBindOptions, server: DirectoryServer) {
    this.#options = options;
    this.#server = server;
    this.#filter = options.filter === undefined ? null : parseFilter(options.filter);
  }

  async verify(username: string, password: Buffer): Promise<VerifiedUser | null> {
    // RFC 4513 §5.1.2: without a password a bind asks for nothing and is granted. §5.1.3: passwords are UTF-8.
    if (password.length === 0 || !isUtf8(password)) return null;
    return withDirectory(this.#server, async (client) => {
      await this.#bindOurselves(client);
      const entry = await this.#find(client, username);
      if (entry === null) return null;
      const principal = nameOf(entry, this.#options.nameAttribute);
      return (await bindAs(client, entry.dn, password.toString())) ? { principal, kerberos: false } : null;
    });
  }

  close(): void {}

  async #bindOurselves(client: Client): Promise<void> {
    const { bindDn, bindPasswordFile } = this.#options;
    if (bindDn === undefined || bindPasswordFile === undefined) return;
    const password = await bindPassword(bindPasswordFile);
    try {
      await client.bind(bindDn, password);
    } catch (error) {
      if (!(error instanceof ResultCodeError)) throw error;
      throw new NetworkError(
        "LDAP_FAILED",
        printable(`the directory refuses our own name ${bindDn}: ${error.message}`),
      );
    }
  }

  /** The name goes into the filter as a value, not as text: nothing in it can be anything else. */
  async #find(client: Client, username: string): Promise<Entry | null> {
    const { base, nameAttribute } = this.#options;
    const named = new EqualityFilter({ attribute: nameAttribute, value: username });
    const { searchEntries } = await client.search(base, {
      scope: "sub",
      filter: this.#filter === null ? named : new AndFilter({ filters: [this.#filter, named] }),
      attributes: [nameAttribute],
      // No sizeLimit: ldapts would not tell one entry from the first of several that a limit has cut.
      timeLimit: Math.ceil(this.#server.timeout / 1000),
    });
    const [entry, another] = searchEntries;
    if (another !== undefined)
      throw new PolicyError("LDAP_AMBIGUOUS", `more than one entry below ${base} has this ${nameAttribute}`);
    return entry ?? null;
  }
}

/** @throws PolicyError where the directory refuses for another reason than the password */
async function bindAs(client: Client, dn: string, password: string): Promise<boolean> {
  // Bound to no name, a password is for nobody.
  if (dn === "") throw new PolicyError("LDAP_NO_DN", "the entry has no name");
  try {
    await client.bind(dn, password);
    return true;
  } catch (error) {
    if (!(error instanceof ResultCodeError)) throw error;
    switch (error.code) {
      case INVALID_CREDENTIALS:
      case INAPPROPRIATE_AUTHENTICATION:
        return false;
      case CONSTRAINT_VIOLATION:
      case INSUFFICIENT_ACCESS:
      case UNWILLING_TO_PERFORM:
        throw new PolicyError(
          "LDAP_REFUSED",
          printable(`the directory refuses ${dn}: ${(error as Error).message}`),
          {
            cause: error,
          },
        );
      default:
        throw error;
    }
  }
}

/** As the directory writes it, whatever case and spaces the user typed: rules know one name. */
function nameOf(entry: Entry, attribute: string): string {
  const wanted = attribute.toLowerCase();
  const values = Object.entries(entry).find(([key]) => key.toLowerCase() === wanted)?.[1] ?? [];
  const [name, another] = [values].flat();
  if (typeof name !== "string" || another !== undefined)
    throw new PolicyError("LDAP_AMBIGUOUS", printable(`${entry.dn} has not just one ${attribute}`));
  try {
    checkUsername(name);
  } catch {
    throw new PolicyError(
      "LDAP_BAD_NAME",
      printable(`the ${attribute} of ${entry.dn} is not fit for rules and logs`),
    );
  }
  return name;
}

/** In values parentheses are written \28 and \29, so that they are easily counted; ldapts would add missing ones. */
function parseFilter(filter: string): Filter {
  let depth = 0;
  const balanced = [...filter].every((character, index) => {
    depth += character === "(" ? 1 : character === ")" ? -1 : 0;
    return depth > 0 || index === filter.length - 1;
  });
  try {
    if (!balanced || depth !== 0) throw new Error("its parentheses don't match");
    return FilterParser.parseString(filter);
  } catch (error) {
    const text = `expected a filter, as (objectClass=person): ${(error as Error).message}`;
    throw new UsageError("BAD_VALUE", printable(`passwords.ldap.filter: ${text}`), { cause: error });
  }
}

async function bindPassword(file: string): Promise<string> {
  const [password = ""] = (await text(file)).split(/\r?\n/, 1);
  if (password !== "") return password;
  // An empty one would make us anonymous, and say nothing.
  throw new ConfigError(file, [{ path: "", message: "the first line is to be the password, and is empty" }]);
}

async function text(file: string): Promise<string> {
  return (await readRegularFile(file, LARGEST_FILE)).octets.toString();
}
