/**
 * `gssocks passwd` on files of its own and of htpasswd: who can then get in, what stays as it was, whose the file is,
 * and that a terminal shows nothing of the password.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UsersFile } from "../../src/auth/users-file.js";
import { gssocks } from "../support/gssocks.js";
import { run, runToEnd } from "../support/processes.js";
import { CLI } from "../support/proxy.js";

const TERMINAL = fileURLToPath(new URL("../../../test/support/terminal.py", import.meta.url));

test("gssocks passwd", async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), "passwd-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = path.join(dir, "users");

  async function passwd(args: readonly string[], input: string | Buffer = ""): Promise<string> {
    const { code, stdout, stderr } = await gssocks(["passwd", file, ...args], { input });
    assert.equal(code, 0, stderr);
    assert.equal(stderr, "");
    return stdout;
  }

  async function getsIn(name: string, password: string | Buffer): Promise<boolean> {
    const users = await UsersFile.open(file);
    try {
      return (await users.verify(name, Buffer.from(password as string))) !== null;
    } finally {
      users.close();
    }
  }

  await t.test("makes a file that only its owner reads, adds, changes and deletes", async () => {
    assert.equal(await passwd(["alice"], "first\n"), `${file}: alice added\n`);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(await passwd(["jürgen"], "ünsicher"), `${file}: jürgen added\n`);
    assert.ok(await getsIn("alice", "first"));
    assert.ok(await getsIn("jürgen", "ünsicher"));
    assert.equal(await passwd(["alice"], "second\r\nnot read\n"), `${file}: alice has a new password\n`);
    assert.deepEqual([await getsIn("alice", "first"), await getsIn("alice", "second")], [false, true]);
    assert.equal(await passwd(["alice", "--delete"]), `${file}: alice deleted\n`);
    assert.deepEqual([await getsIn("alice", "second"), await getsIn("jürgen", "ünsicher")], [false, true]);
  });

  await t.test("takes any octets but a line's end for a password, up to 255 of them", async () => {
    const password = Buffer.from([...Array(255).keys()].map((octet) => (octet === 0x0a ? 0xff : octet)));
    await passwd(["octets"], password);
    assert.ok(await getsIn("octets", password));
  });

  await t.test("keeps what htpasswd wrote, comments, order and a last line without an end", async () => {
    rmSync(file);
    await run("htpasswd", ["-cbB", file, "alice", "alice-pw"]);
    const alice = readFileSync(file, "latin1");
    const odd = "# caf\xe9\r\n\n";
    writeFileSync(file, `${odd}bob:x\n${alice}bob:y\n# last`, "latin1");
    await passwd(["bob"], "bob-pw\n");
    await passwd(["carol"], "carol-pw\n");
    const text = readFileSync(file, "latin1");
    const shape = text.replaceAll(/\$argon2id\$\S+/g, "HASH");
    assert.equal(shape, `${odd}bob:HASH\n${alice}# last\ncarol:HASH\n`);
    for (const name of ["alice", "bob", "carol"]) assert.ok(await getsIn(name, `${name}-pw`), name);
    await run("htpasswd", ["-bB", file, "alice", "changed"]);
    assert.ok(await getsIn("alice", "changed"));
  });

  await t.test(
    "leaves the file its owner, its group's right to read, and a link to it the link",
    async () => {
      const real = path.join(dir, "real");
      writeFileSync(real, "");
      chmodSync(real, 0o664);
      const [uid, gid] = process.getuid?.() === 0 ? [65534, 65534] : [statSync(real).uid, statSync(real).gid];
      chownSync(real, uid, gid);
      rmSync(file);
      symlinkSync(real, file);
      await passwd(["alice"], "pw\n");
      const stats = statSync(real);
      assert.deepEqual([stats.uid, stats.gid, stats.mode & 0o777], [uid, gid, 0o640]);
      assert.equal(statSync(file).ino, stats.ino);
    },
  );

  await t.test("says what is wrong, changes nothing and leaves nothing behind", async () => {
    const before = readFileSync(file, "utf8");
    const table: [args: string[], input: string, code: number, says: RegExp][] = [
      [[file, "carol"], "", 1, /a password has 1 to 255 octets, this one 0/],
      [[file, "carol"], "\n", 1, /a password has 1 to 255 octets, this one 0/],
      [[file, "carol"], "x".repeat(256), 1, /a password has 1 to 255 octets, this one 256/],
      [[file, "carol", "--delete"], "", 1, /carol is not in the file/],
      [[file, "a:b"], "x", 2, /has no colon/],
      [[file, "a\u001b[2J"], "x", 2, /no control characters/],
      [[file, "#a"], "x", 2, /does not begin with #/],
      [[file, ""], "x", 2, /1 to 255 octets/],
      [[file], "x", 2, /missing required argument 'name'/],
      [[path.join(dir, "none", "users"), "carol"], "x", 2, /none\/users: ENOENT/],
      [[dir, "carol"], "x", 2, /not a regular file/],
    ];
    for (const [args, input, status, says] of table) {
      const { code, stdout, stderr } = await gssocks(["passwd", ...args], { input });
      assert.deepEqual([code, stdout], [status, ""], `${args.join(" ")}: ${stderr}`);
      assert.match(stderr, says);
    }
    assert.equal(readFileSync(file, "utf8"), before);
    assert.deepEqual(readdirSync(dir).sort(), ["real", "users"]);
  });

  await t.test("keeps off while another one is at work", async () => {
    const other = path.join(dir, "real.new");
    writeFileSync(other, "theirs");
    const { code, stderr } = await gssocks(["passwd", file, "carol"], { input: "x\n" });
    assert.equal(code, 2);
    assert.match(stderr, /real\.new is there: another gssocks passwd is at work/);
    assert.equal(readFileSync(other, "utf8"), "theirs");
    rmSync(other);
  });

  await t.test("at a terminal it asks twice, and shows nothing", async () => {
    const terminal = (...answers: string[]) => {
      const questions = ["Password for dave: ", "Once more: "];
      const dialogue = answers.map((answer, index) => `${questions[index]}=${answer}`);
      return runToEnd("python3", [
        TERMINAL,
        ...dialogue,
        "--",
        process.execPath,
        CLI,
        "passwd",
        file,
        "dave",
      ]);
    };
    const done = await terminal("s3cret wörd", "s3cret wörd");
    assert.equal(done.code, 0, done.stdout);
    assert.equal(done.stdout, `Password for dave: \r\nOnce more: \r\n${file}: dave added\r\n`);
    assert.ok(await getsIn("dave", "s3cret wörd"));

    const before = readFileSync(file, "utf8");
    const differ = await terminal("one", "other");
    assert.equal(differ.code, 1);
    assert.match(differ.stdout, /the two passwords differ: nothing was changed/);
    const stopped = await terminal("^C");
    assert.equal(stopped.code, 1);
    assert.match(stopped.stdout, /no password was given: nothing was changed/);
    assert.equal(readFileSync(file, "utf8"), before);
  });
});
