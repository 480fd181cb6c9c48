/**
 * Groups from a file in the form of group(5): `name:password:gid:member,member`. A member with an `@` is a principal,
 * the others are names of users or local names. Password and gid may be empty and are not looked at.
 */
import { type BigIntStats, promises as fs } from "node:fs";
import { ConfigError, type ConfigProblem } from "../errors.js";
import { readRegularFile, unreadable } from "./regular-file.js";

export interface ParsedGroups {
  /** The groups of each member. */
  readonly of: ReadonlyMap<string, readonly string[]>;
  readonly names: ReadonlySet<string>;
  readonly problems: readonly ConfigProblem[];
}

export const MAX_GROUPS_FILE_SIZE = 4 << 20;

/** Longer than the clock ticks that file systems stamp with, in ms. */
const RECENT = 2000n;

export class GroupsFile {
  readonly #path: string;
  #groups: ParsedGroups;
  /** Null where it had just been written, and may be so again without looking different. */
  #look: string | null;

  /** @throws ConfigError that lists every bad line, or says why the file can't be read */
  static async open(path: string): Promise<GroupsFile> {
    const { groups, look } = await load(path);
    return new GroupsFile(path, groups, look);
  }

  private constructor(path: string, groups: ParsedGroups, look: string | null) {
    this.#path = path;
    this.#groups = groups;
    this.#look = look;
  }

  get names(): ReadonlySet<string> {
    return this.#groups.names;
  }

  /** The groups that one of `members` is in. @throws ConfigError where the file has changed and is no good now */
  async groupsOf(members: readonly string[]): Promise<string[]> {
    const stats = await fs.stat(this.#path, { bigint: true }).catch((error) => {
      throw unreadable(this.#path, error);
    });
    if (this.#look !== lookOf(stats)) {
      const { groups, look } = await load(this.#path);
      this.#groups = groups;
      this.#look = look;
    }
    return members.flatMap((member) => this.#groups.of.get(member) ?? []);
  }
}

/** Lines that begin with `#` and empty ones are skipped. */
export function parseGroups(text: string): ParsedGroups {
  const of = new Map<string, string[]>();
  const names = new Set<string>();
  const problems: ConfigProblem[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, list] = /^([^\s:,]+):[^:]*:\d*:([^:]*)$/.exec(line) ?? [];
    const members = (list ?? "").split(",").map((member) => member.trim());
    let message: string | null = null;
    if (name === undefined) message = "expected name:password:gid:member,member";
    else if (names.has(name)) message = `the group ${name} is in an earlier line`;
    else if (list?.trim() !== "" && members.some((member) => !/^[^\s\p{Cc}]+$/u.test(member)))
      message = "a member is empty or has white space in it";
    if (message !== null || name === undefined) {
      problems.push({ path: "", line: index + 1, message: message ?? "" });
      continue;
    }
    names.add(name);
    for (const member of members.filter((each) => each !== ""))
      of.set(member, [...(of.get(member) ?? []), name]);
  }
  return { of, names, problems };
}

async function load(path: string): Promise<{ groups: ParsedGroups; look: string | null }> {
  const readAt = BigInt(Date.now());
  const { octets, stats } = await readRegularFile(path, MAX_GROUPS_FILE_SIZE);
  if ((stats.mode & 0o002n) !== 0n) {
    const message = "everybody can write it, and be in every group then (chmod o-w)";
    throw new ConfigError(path, [{ path: "", message }]);
  }
  const groups = parseGroups(octets.toString().replace(/^\ufeff/, ""));
  if (groups.problems.length > 0) throw new ConfigError(path, groups.problems);
  const settled = readAt - stats.mtimeMs > RECENT && readAt - stats.ctimeMs > RECENT;
  return { groups, look: settled ? lookOf(stats) : null };
}

function lookOf({ dev, ino, size, mode, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mode, mtimeNs, ctimeNs].join(" ");
}
