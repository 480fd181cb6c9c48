/**
 * Passwords from a file with a line `name:hash` for each user, as htpasswd writes it. A change is seen at the next
 * attempt, whether the file was written over or another one renamed into its place.
 */
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { ConfigError, type ConfigProblem, UsageError } from "../errors.js";
import { checkUsername } from "../protocol/username-password.js";
import { HashWorker } from "./hash-worker.js";
import type { PasswordBackend, VerifiedUser } from "./password-backend.js";
import { makePasswordHash, type PasswordHash, parsePasswordHash } from "./password-hash.js";
import { readRegularFile, unreadable } from "./regular-file.js";

export interface UsersFileOptions {
  /** Told what the administrator should mend while the server goes on: bad lines, a file that others can read. */
  warn?: ((message: string) => void) | undefined;
}

export interface ParsedUsers {
  readonly users: ReadonlyMap<string, PasswordHash>;
  readonly problems: readonly { line: number; message: string }[];
}

interface Loaded extends ParsedUsers {
  /** What the file looked like; null where it had just been written, and may be so again without looking different. */
  readonly look: string | null;
  /** The hash that takes longest to check. */
  readonly dearest: string | null;
}

export const MAX_USERS_FILE_SIZE = 4 << 20;

/** Longer than the clock ticks that file systems stamp with, in ms. */
const RECENT = 2000n;

export class UsersFile implements PasswordBackend {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  readonly #worker = new HashWorker();
  readonly #decoy: string;
  #loaded: Loaded;
  #loading: Promise<Loaded> | null = null;
  #warned = "";

  /** @throws ConfigError that lists every bad line, or says why the file can't be read */
  static async open(path: string, options: UsersFileOptions = {}): Promise<UsersFile> {
    const { loaded, warnings } = await load(path);
    if (loaded.problems.length > 0) throw new ConfigError(path, loaded.problems.map(problemOf));
    const decoy = await makePasswordHash(Buffer.from("nobody"));
    return new UsersFile(path, options.warn ?? (() => {}), loaded, warnings, decoy);
  }

  private constructor(
    path: string,
    warn: (message: string) => void,
    loaded: Loaded,
    warnings: string[],
    decoy: string,
  ) {
    this.#path = path;
    this.#warn = warn;
    this.#loaded = loaded;
    this.#decoy = decoy;
    this.#tell(warnings);
  }

  /** @throws ConfigError where the file can't be read now. A line gone bad is nobody's; the others hold. */
  async verify(username: string, password: Buffer): Promise<VerifiedUser | null> {
    const { users, dearest } = await this.#current();
    const hash = users.get(username);
    // A name that is not there takes the time of one that is.
    const matches = await this.#worker.verify(hash?.text ?? dearest ?? this.#decoy, password);
    return matches && hash !== undefined ? { principal: username, kerberos: false } : null;
  }

  close(): void {
    this.#worker.close();
  }

  async #current(): Promise<Loaded> {
    if (this.#loading !== null) return this.#loading;
    const look = await stat(this.#path, { bigint: true }).then(lookOf, (error) => {
      throw unreadable(this.#path, error);
    });
    if (look === this.#loaded.look) return this.#loaded;
    this.#loading ??= this.#reload().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  async #reload(): Promise<Loaded> {
    const { loaded, warnings } = await load(this.#path);
    this.#loaded = loaded;
    this.#tell([
      ...loaded.problems.map(({ line, message }) => `${this.#path}:${line}: ${message}`),
      ...warnings,
    ]);
    return loaded;
  }

  /** The same is told once. */
  #tell(warnings: readonly string[]): void {
    const told = warnings.join("\n");
    if (told !== this.#warned) for (const warning of warnings) this.#warn(warning);
    this.#warned = told;
  }
}

/** @throws UsageError for a name that cannot come from the wire, or stand at the beginning of a line */
export function checkUserName(name: string): void {
  checkUsername(name);
  if (/[:\ufffd]|^\s*#|^\s+$/.test(name))
    throw new UsageError(
      "BAD_USERNAME",
      `a name in a users file has no colon, is UTF-8 and does not begin with #: ${JSON.stringify(name)}`,
    );
}

/** Lines that begin with `#` and empty ones are skipped, as Apache does, and so is what follows a second colon. */
export function parseUsers(text: string): ParsedUsers {
  const users = new Map<string, PasswordHash>();
  const lineOf = new Map<string, number>();
  const problems: { line: number; message: string }[] = [];
  for (const [index, content] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    if (/^\s*(#|$)/.test(content)) continue;
    try {
      const [name = "", hash] = content.split(":", 2);
      if (hash === undefined) throw new UsageError("BAD_VALUE", "expected name:hash");
      checkUserName(name);
      const earlier = lineOf.get(name);
      if (earlier !== undefined)
        throw new UsageError("BAD_VALUE", `${JSON.stringify(name)} is in line ${earlier} already`);
      lineOf.set(name, line);
      users.set(name, parsePasswordHash(hash));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push({ line, message: error.message });
    }
  }
  return { users, problems };
}

async function load(path: string): Promise<{ loaded: Loaded; warnings: string[] }> {
  const readAt = BigInt(Date.now());
  const { octets, stats } = await readRegularFile(path, MAX_USERS_FILE_SIZE);
  const parsed = parseUsers(octets.toString().replace(/^\ufeff/, ""));
  const [dearest] = [...parsed.users.values()].sort((a, b) => b.cost - a.cost);
  const settled = readAt - stats.mtimeMs > RECENT && readAt - stats.ctimeMs > RECENT;
  const loaded = { ...parsed, look: settled ? lookOf(stats) : null, dearest: dearest?.text ?? null };
  const warnings: string[] = [];
  if ((stats.mode & 0o022n) !== 0n)
    warnings.push(`${path} can be written by others: whoever does so gets in (chmod go-w)`);
  if ((stats.mode & 0o004n) !== 0n)
    warnings.push(`${path} can be read by others, who can guess at its passwords (chmod o-r)`);
  return { loaded, warnings };
}

function lookOf({ dev, ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mode, mtimeNs, ctimeNs].join(" ");
}

function problemOf({ line, message }: { line: number; message: string }): ConfigProblem {
  return { path: "", line, message };
}
