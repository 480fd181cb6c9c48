import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { GroupsFile, parseGroups } from "../../../src/auth/groups-file.js";
import { ConfigError } from "../../../src/errors.js";

const DIRECTORY = mkdtempSync(path.join(tmpdir(), "groups-"));
after(() => rmSync(DIRECTORY, { recursive: true }));
const FILE = path.join(DIRECTORY, "groups");

test("lines in the form of group(5)", () => {
  const { of, names, problems } = parseGroups(
    "# comment\n\nstaff:x:100:alice, bob@R\r\nempty:::\nadmins::0:alice,host/db@R\n",
  );
  assert.deepEqual(problems, []);
  assert.deepEqual([...names], ["staff", "empty", "admins"]);
  assert.deepEqual(Object.fromEntries(of), {
    alice: ["staff", "admins"],
    "bob@R": ["staff"],
    "host/db@R": ["admins"],
  });
});

test("what is wrong with a line is said, with its number", () => {
  const form = "expected name:password:gid:member,member";
  const table: [line: string, message: string][] = [
    ["staff", form],
    ["staff:x:1", form],
    [":x:1:alice", form],
    ["a b:x:1:alice", form],
    ["staff:x:one:alice", form],
    ["staff:x:1:alice:bob", form],
    ["staff:x:1:alice,,bob", "a member is empty or has white space in it"],
    ["staff:x:1:alice bob", "a member is empty or has white space in it"],
    ["first:x:1:", "the group first is in an earlier line"],
  ];
  for (const [line, message] of table) {
    const { problems } = parseGroups(`first:x:1:alice\n${line}\n`);
    assert.deepEqual(problems, [{ path: "", line: 2, message }], line);
  }
});

test("a change is seen, and a file that is no good any more is an error", async () => {
  writeFileSync(FILE, "staff:::alice\n");
  const groups = await GroupsFile.open(FILE);
  assert.deepEqual([...groups.names], ["staff"]);
  assert.deepEqual(await groups.groupsOf(["alice@R", "alice"]), ["staff"]);
  assert.deepEqual(await groups.groupsOf(["bob"]), []);
  writeFileSync(FILE, "staff:::bob\n");
  assert.deepEqual(await groups.groupsOf(["alice"]), []);
  assert.deepEqual(await groups.groupsOf(["bob"]), ["staff"]);
  writeFileSync(FILE, "staff\n");
  await assert.rejects(groups.groupsOf(["bob"]), ConfigError);
  rmSync(FILE);
  await assert.rejects(groups.groupsOf(["bob"]), /can't be read/);
  writeFileSync(FILE, "staff:::bob\n");
  assert.deepEqual(await groups.groupsOf(["bob"]), ["staff"]);
});

test("a file that everybody can write is not believed", async () => {
  writeFileSync(FILE, "staff:::alice\n");
  chmodSync(FILE, 0o666);
  await assert.rejects(GroupsFile.open(FILE), /everybody can write it/);
});
