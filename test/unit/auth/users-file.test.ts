// The users file: who is in it, that changes are seen, and what is said of bad lines and loose modes.
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { makePasswordHash } from "../../../src/auth/password-hash.js";
import { MAX_USERS_FILE_SIZE, parseUsers, UsersFile } from "../../../src/auth/users-file.js";
import { ConfigError, UsageError } from "../../../src/errors.js";
import { run } from "../../support/processes.js";

let dir = "";
const lines: Record<string, string> = {};
before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "users-"));
  for (const name of ["alice", "bob"])
    lines[name] = `${name}:${await makePasswordHash(Buffer.from(`${name}-pw`))}`;
});
after(() => rmSync(dir, { recursive: true }));

let files = 0;
/** A file of its own, long since unchanged unless `recent`. */
function write(text: string, { mode = 0o600, recent = false } = {}): string {
  const file = path.join(dir, `users-${files++}`);
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  if (!recent) utimesSync(file, 1e9, 1e9);
  return file;
}

async function who(users: UsersFile, name: string, password: string): Promise<string | null> {
  return (await users.verify(name, Buffer.from(password)))?.principal ?? null;
}

test("who is in it gets in with the password, and nobody else", async (t) => {
  const users = await UsersFile.open(write(`# people\n\n${lines.alice}:a comment\r\n${lines.bob}\n`));
  t.after(() => users.close());
  assert.equal(await who(users, "alice", "alice-pw"), "alice");
  assert.equal(await who(users, "bob", "bob-pw"), "bob");
  for (const [name, password] of [
    ["alice", "bob-pw"],
    ["alice", "alice-p"],
    ["Alice", "alice-pw"],
    ["alice ", "alice-pw"],
    ["carol", "alice-pw"],
    ["nobody", "nobody"],
    ["__proto__", "alice-pw"],
    ["# people", "alice-pw"],
    ["", "alice-pw"],
  ] as const)
    assert.equal(await who(users, name, password), null, name);
});

test("an empty file lets nobody in", async (t) => {
  const users = await UsersFile.open(write(""));
  t.after(() => users.close());
  assert.equal(await who(users, "nobody", "nobody"), null);
});

test("many at once are judged each by its own password, while the event loop goes on", async (t) => {
  const users = await UsersFile.open(write(`${lines.alice}\n${lines.bob}\n`));
  t.after(() => users.close());
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 1);
  const verdicts = await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      who(users, index % 2 ? "alice" : "bob", index % 3 ? "bob-pw" : "alice-pw"),
    ),
  );
  clearInterval(ticking);
  const expected = Array.from({ length: 12 }, (_, index) => {
    if (index % 2) return index % 3 ? null : "alice";
    return index % 3 ? "bob" : null;
  });
  assert.deepEqual(verdicts, expected);
  assert.ok(ticks > 3, `${ticks} ticks`);
});

test("a change is seen: written over, renamed into place, behind a symbolic link", async (t) => {
  const file = write(`${lines.alice}\n`, { recent: true });
  const link = path.join(dir, "link");
  symlinkSync(file, link);
  const users = await UsersFile.open(link);
  t.after(() => users.close());
  assert.equal(await who(users, "bob", "bob-pw"), null);

  await t.test("written over, in the same tick of the clock and with the same length", async () => {
    writeFileSync(file, `${lines.alice?.replace("alice", "carol")}\n`);
    assert.equal(await who(users, "alice", "alice-pw"), null);
    assert.equal(await who(users, "carol", "alice-pw"), "carol");
  });

  await t.test("renamed into place", async () => {
    renameSync(write(`${lines.bob}\n`), file);
    assert.equal(await who(users, "carol", "alice-pw"), null);
    assert.equal(await who(users, "bob", "bob-pw"), "bob");
  });

  await t.test("the link leads elsewhere", async () => {
    const next = path.join(dir, "next");
    symlinkSync(write(`${lines.alice}\n`), next);
    renameSync(next, link);
    assert.equal(await who(users, "bob", "bob-pw"), null);
    assert.equal(await who(users, "alice", "alice-pw"), "alice");
  });

  await t.test("gone: nobody is judged, until it is back", async () => {
    const away = path.join(dir, "away");
    renameSync(link, away);
    await assert.rejects(who(users, "alice", "alice-pw"), (error) => {
      return error instanceof ConfigError && /can't be read: ENOENT/.test(error.message);
    });
    renameSync(away, link);
    assert.equal(await who(users, "alice", "alice-pw"), "alice");
  });
});

test("bad lines are named, all at once", async () => {
  const text = `${lines.alice}\nno colon\n:${lines.bob?.slice(4)}\nbob:plain-secret\n${lines.alice}\n#\nd\u001b:x\ne\u0080:x\n`;
  const file = write(text);
  await assert.rejects(UsersFile.open(file), (error) => {
    assert.ok(error instanceof ConfigError);
    const said = error.problems.map(({ line, message }) => `${line}: ${message.slice(0, 32)}`);
    assert.deepEqual(said, [
      "2: expected name:hash",
      "3: a username has 1 to 255 octets o",
      "4: expected a hash of bcrypt ($2y$)",
      '5: "alice" is in line 1 already',
      "7: a username has 1 to 255 octets o",
      "8: a username has 1 to 255 octets o",
    ]);
    assert.doesNotMatch(error.message, /secret|argon2id\$v/);
    return true;
  });
});

test("a line gone bad later is nobody's, and told once; the others hold", async (t) => {
  const told: string[] = [];
  const file = write(`${lines.alice}\n${lines.bob}\n`);
  const users = await UsersFile.open(file, { warn: (message) => told.push(message) });
  t.after(() => users.close());
  renameSync(write(`${lines.alice}\nbob:oops\n`, { recent: true }), file);
  for (let times = 0; times < 2; times++) {
    assert.equal(await who(users, "bob", "bob-pw"), null);
    assert.equal(await who(users, "bob", "oops"), null);
    assert.equal(await who(users, "alice", "alice-pw"), "alice");
  }
  assert.equal(told.length, 1);
  assert.ok(told[0]?.startsWith(`${file}:2: expected a hash`), told[0]);
});

test("a file that others can read or write is told of", async (t) => {
  for (const [mode, says] of [
    [0o600, []],
    [0o640, []],
    [0o644, [/can be read by others/]],
    [0o660, [/can be written by others/]],
    [0o666, [/can be written by others/, /can be read by others/]],
  ] as const) {
    const told: string[] = [];
    const users = await UsersFile.open(write(`${lines.alice}\n`, { mode }), {
      warn: (text) => told.push(text),
    });
    t.after(() => users.close());
    assert.equal(told.length, says.length, mode.toString(8));
    for (const [index, pattern] of says.entries()) assert.match(told[index] ?? "", pattern);
  }
});

test("what is no users file: missing, a directory, a FIFO nobody writes to, too large, a device", async () => {
  const fifo = path.join(dir, "fifo");
  await run("mkfifo", [fifo]);
  const large = write("");
  truncateSync(large, MAX_USERS_FILE_SIZE + 1);
  for (const [file, says] of [
    [path.join(dir, "none"), /ENOENT/],
    [dir, /no regular file/],
    [fifo, /no regular file/],
    ["/dev/zero", /no regular file/],
    [large, /larger than 4194304 octets/],
  ] as const) {
    await assert.rejects(
      UsersFile.open(file),
      (error) => error instanceof ConfigError && says.test(error.message),
    );
  }
});

test("closed, it judges nobody, and what was under way is told", async () => {
  const users = await UsersFile.open(write(`${lines.alice}\n`));
  const underWay = who(users, "alice", "alice-pw");
  const closed = (error: unknown) => error instanceof UsageError && error.code === "HANDLE_CLOSED";
  const rejected = assert.rejects(underWay, closed);
  users.close();
  await rejected;
  users.close();
  await assert.rejects(who(users, "alice", "alice-pw"), closed);
});

test("the parser takes any text", () => {
  assert.equal(parseUsers("\0".repeat(1000)).problems.length, 1);
  assert.equal(parseUsers(":::\n".repeat(1000)).problems.length, 1000);
  assert.equal(parseUsers(`${"x".repeat(256)}:$2y$05$`).users.size, 0);
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.constantFrom(
      ":",
      "\n",
      "\r\n",
      "#",
      "$",
      "$6$rounds=",
      "$argon2id$v=19$m=",
      ",t=",
      ",p=",
      ...Object.values(lines),
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const text = pieces.join("");
      const { users, problems } = parseUsers(text);
      const count = text.split("\n").length;
      assert.ok(users.size + problems.length <= count);
      for (const { line } of problems) assert.ok(line >= 1 && line <= count);
      for (const [name, { text: hash }] of users) {
        assert.doesNotMatch(name, /[:\p{Cc}]/u);
        assert.ok(text.includes(`${name}:${hash}`));
      }
    }),
  );
});
