// Which hashes a users file may hold, and that those of other programs are verified as they mean them.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { makePasswordHash, parsePasswordHash, verifyPasswordHash } from "../../../src/auth/password-hash.js";
import { UsageError } from "../../../src/errors.js";
import { run } from "../../support/processes.js";

interface Maker {
  command: string;
  args: string[];
  starts: RegExp;
  /** The programs take what C takes for a string, from standard input. */
  input?: (password: string) => string;
}

const line = (password: string) => `${password}\n`;
const MAKERS: Record<string, Maker> = {
  "htpasswd -B": { command: "htpasswd", args: ["-niB", "alice"], starts: /^\$2y\$05\$/, input: line },
  "htpasswd -B, cost 10": {
    command: "htpasswd",
    args: ["-niB", "-C", "10", "alice"],
    starts: /^\$2y\$10\$/,
    input: line,
  },
  "mkpasswd bcrypt": { command: "mkpasswd", args: ["-m", "bcrypt", "-s"], starts: /^\$2b\$/, input: line },
  "mkpasswd bcrypt-a": {
    command: "mkpasswd",
    args: ["-m", "bcrypt-a", "-s"],
    starts: /^\$2a\$/,
    input: line,
  },
  "mkpasswd sha-256": { command: "mkpasswd", args: ["-m", "sha-256", "-s"], starts: /^\$5\$/, input: line },
  "mkpasswd sha-512 with rounds": {
    command: "mkpasswd",
    args: ["-m", "sha-512", "-R", "12345", "-s"],
    starts: /^\$6\$rounds=12345\$/,
    input: line,
  },
  "openssl passwd -6": {
    command: "openssl",
    args: ["passwd", "-6", "-stdin"],
    starts: /^\$6\$[^=]+$/,
    input: line,
  },
  "argon2 -id": {
    command: "argon2",
    args: ["somesalt", "-id", "-e"],
    starts: /^\$argon2id\$v=19\$m=4096,t=3,p=1\$/,
  },
  "argon2 -i, lanes": {
    command: "argon2",
    args: ["somesalt", "-i", "-m", "10", "-t", "2", "-p", "4", "-e"],
    starts: /^\$argon2i\$v=19\$m=1024,t=2,p=4\$/,
  },
};

suite("lines of other programs", () => {
  for (const [name, { command, args, starts, input = String }] of Object.entries(MAKERS)) {
    test(name, async () => {
      for (const password of ["s3cret", "x", "pässwörd with spaces:and colons", "y".repeat(72)]) {
        const { stdout } = await run(command, args, { input: input(password) });
        const hash = stdout.trim().replace(/^alice:/, "");
        assert.match(hash, starts);
        assert.equal(parsePasswordHash(hash).text, hash);
        assert.equal(await verifyPasswordHash(hash, Buffer.from(password)), true, password);
        for (const wrong of [
          `${password}x`.slice(-70),
          password.slice(1) || "z",
          password.toUpperCase(),
          " ",
        ])
          assert.equal(await verifyPasswordHash(hash, Buffer.from(wrong)), false, wrong);
      }
    });
  }
});

test("bcrypt ends at 72 octets, as htpasswd's does", async () => {
  const { stdout } = await run("htpasswd", ["-niB", "alice"], { input: `${"z".repeat(100)}\n` });
  const hash = stdout.trim().slice("alice:".length);
  assert.equal(await verifyPasswordHash(hash, Buffer.from("z".repeat(100))), true);
  assert.equal(await verifyPasswordHash(hash, Buffer.from("z".repeat(71))), false);
});

test("a NUL in the password does not repeat it", async () => {
  const { stdout } = await run("htpasswd", ["-niB", "alice"], { input: "ab\n" });
  const hash = stdout.trim().slice("alice:".length);
  assert.equal(await verifyPasswordHash(hash, Buffer.from("ab")), true);
  assert.equal(await verifyPasswordHash(hash, Buffer.from("ab\0ab")), false);
});

test("our own hashes are argon2id, each with a salt of its own, and argon2 can be told any octets", async () => {
  const password = Buffer.from("00ff80c3", "hex");
  const [first, second] = await Promise.all([makePasswordHash(password), makePasswordHash(password)]);
  assert.match(first, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(first, second);
  assert.equal(parsePasswordHash(first).text, first);
  assert.equal(await verifyPasswordHash(first, password), true);
  assert.equal(await verifyPasswordHash(first, Buffer.from("00ff80c4", "hex")), false);
});

const SHA512 = "a".repeat(86);
const BCRYPT = `${"a".repeat(22)}${"b".repeat(31)}`;

test("what is no such hash, or too dear, is refused without being repeated", () => {
  const table: [text: string, says: RegExp][] = [
    ["", /expected a hash/],
    ["secret", /expected a hash/],
    ["$apr1$abcdefgh$0123456789012345678901", /too weak/],
    ["{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", /too weak/],
    [`$2x$05$${BCRYPT}`, /expected a hash/],
    [`$2y$03$${BCRYPT}`, /expected a hash/],
    [`$2y$15$${BCRYPT}`, /longer than about a second/],
    [`$2y$05$${BCRYPT} `, /expected a hash/],
    [`$6$salt$${SHA512}a`, /expected a hash/],
    [`$5$salt$${SHA512}`, /expected a hash/],
    [`$6$rounds=999$salt$${SHA512}`, /expected a hash/],
    [`$6$rounds=05000$salt$${SHA512}`, /expected a hash/],
    [`$6$rounds=999999999$salt$${SHA512}`, /longer than about a second/],
    [`$6$seventeen-letters$${SHA512}`, /expected a hash/],
    ["$argon2id$v=16$m=4096,t=3,p=1$c29tZXNhbHQ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ", /expected a hash/],
    ["$argon2id$v=19$m=4,t=3,p=1$c29tZXNhbHQ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ", /expected a hash/],
    ["$argon2id$v=19$m=4096,t=3,p=1$c29tZ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ", /expected a hash/],
    ["$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHQ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ", /longer than/],
    ["$argon2id$v=19$m=4096,t=9999,p=1$c29tZXNhbHQ$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMQ", /longer than/],
  ];
  for (const [text, says] of table) {
    assert.throws(
      () => parsePasswordHash(text),
      (error) =>
        error instanceof UsageError &&
        says.test(error.message) &&
        (text === "" || !error.message.includes(text)),
      text,
    );
  }
});
