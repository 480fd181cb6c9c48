import { constants } from "node:fs";
import { type FileHandle, open, realpath, rename, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { Command, InvalidArgumentError } from "commander";
import { makePasswordHash } from "../auth/password-hash.js";
import { checkUserName, MAX_USERS_FILE_SIZE } from "../auth/users-file.js";
import { ConfigError, GssocksError, UsageError } from "../errors.js";
import { print, tell } from "./output.js";

const LONGEST_PASSWORD = 255;

/** `gssocks passwd`: adds, changes or deletes one line of a users file. A running server sees it at once. */
export function passwdCommand(): Command {
  return new Command("passwd")
    .description(
      "add a user to a users file or change the password; asks for it, or reads a line from a pipe",
    )
    .argument("<file>", "the users file; made if it is not there")
    .argument("<name>", "the user", parseName)
    .option("--delete", "take the user out of the file", false)
    .action(async (file: string, name: string, flags: { delete: boolean }) => {
      const hash = flags.delete ? null : await makePasswordHash(await readPassword(name));
      const was = await replace(file, (text) => withUser(text, name, hash));
      const done = hash === null ? "deleted" : was ? "has a new password" : "added";
      print(`${file}: ${name} ${done}\n`);
    });
}

interface Edit {
  text: string;
  /** Whether the user was in it before. */
  was: boolean;
}

/** Every other line stays as it is, octet by octet: the text is Latin-1, whatever it means. */
function withUser(text: string, name: string, hash: string | null): Edit {
  const user = Buffer.from(`${name}:`).toString("latin1");
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const at = lines.findIndex((line) => line.startsWith(user));
  const others = lines.filter((line) => !line.startsWith(user));
  if (hash === null) {
    if (at === -1) throw new UsageError("NO_SUCH_USER", `${name} is not in the file`);
    return { text: others.join(""), was: true };
  }
  const before = others.slice(0, at === -1 ? undefined : at);
  const last = before.at(-1);
  if (last !== undefined && !last.endsWith("\n")) before.push("\n");
  return { text: [...before, `${user}${hash}\n`, ...others.slice(before.length)].join(""), was: at !== -1 };
}

/** The file is whole at any time, and only one of us changes it at a time. Behind a link, its target is replaced. */
async function replace(path: string, edit: (text: string) => Edit): Promise<boolean> {
  try {
    const target = await realpath(path).catch((error) =>
      error.code === "ENOENT" ? path : Promise.reject(error),
    );
    const temporary = `${target}.new`;
    const output = await open(temporary, "wx", 0o600).catch((error) => {
      if (error.code !== "EEXIST") throw error;
      throw new Error(
        `${temporary} is there: another gssocks passwd is at work, or was cut short and left it`,
      );
    });
    try {
      const was = await write(target, output, edit);
      await rename(temporary, target);
      return was;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      await output.close();
    }
  } catch (error) {
    if (error instanceof GssocksError) throw error;
    throw new ConfigError(path, [{ path: "", message: (error as Error).message }]);
  }
}

/** Whoever the file belonged to and could read it as its group still does; others can't. */
async function write(target: string, output: FileHandle, edit: (text: string) => Edit): Promise<boolean> {
  let old = "";
  const input = await open(target, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) =>
    error.code === "ENOENT" ? null : Promise.reject(error),
  );
  try {
    if (input !== null) {
      const stats = await input.stat();
      if (!stats.isFile() || stats.size > MAX_USERS_FILE_SIZE)
        throw new Error(`not a regular file of at most ${MAX_USERS_FILE_SIZE} octets`);
      old = await input.readFile("latin1");
      const own = await output.stat();
      if (own.uid !== stats.uid || own.gid !== stats.gid) await output.chown(stats.uid, stats.gid);
      await output.chmod(0o600 | (stats.mode & 0o040));
    }
  } finally {
    await input?.close();
  }
  const { text, was } = edit(old);
  if (text.length > MAX_USERS_FILE_SIZE) throw new Error(`more than ${MAX_USERS_FILE_SIZE} octets`);
  await output.writeFile(text, "latin1");
  await output.sync();
  return was;
}

async function readPassword(name: string): Promise<Buffer> {
  if (!process.stdin.isTTY) return checkPassword(await firstLine());
  const [first = "", second] = await ask(`Password for ${name}: `, "Once more: ");
  if (first !== second)
    throw new UsageError("PASSWORDS_DIFFER", "the two passwords differ: nothing was changed");
  return checkPassword(Buffer.from(first));
}

/** What a client can send. */
function checkPassword(password: Buffer): Buffer {
  if (password.length >= 1 && password.length <= LONGEST_PASSWORD) return password;
  throw new UsageError(
    "BAD_PASSWORD",
    `a password has 1 to ${LONGEST_PASSWORD} octets, this one ${password.length}`,
  );
}

/** Standard input up to its first line's end. Not a text: a password may be of any octets. */
async function firstLine(): Promise<Buffer> {
  let input = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    input = Buffer.concat([input, chunk as Buffer]);
    if (input.includes(0x0a) || input.length > LONGEST_PASSWORD + 2) break;
  }
  const end = input.indexOf(0x0a);
  const line = end === -1 ? input : input.subarray(0, end);
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}

/** Asks at the terminal, which shows nothing of the answers. */
async function ask(...questions: readonly string[]): Promise<string[]> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // From here on the terminal echoes nothing; ^C and ^D end the lines.
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  try {
    const lines = terminal[Symbol.asyncIterator]();
    const answers: string[] = [];
    for (const question of questions) {
      tell(question);
      const answer = await lines.next();
      tell("\n");
      if (answer.done) throw new UsageError("INTERRUPTED", "no password was given: nothing was changed");
      answers.push(answer.value);
    }
    return answers;
  } finally {
    terminal.close();
  }
}

function parseName(name: string): string {
  try {
    checkUserName(name);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
  return name;
}
