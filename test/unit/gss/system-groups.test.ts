// The system's groups, against what id(1) says of every user of this machine.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { native } from "../../../src/gss/native.js";
import { systemGroups } from "../../../src/gss/system-groups.js";

const namesIn = (file: string) =>
  readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => (line.includes(":") ? [line.slice(0, line.indexOf(":"))] : []));

test("every user of this machine", async () => {
  const groups = namesIn("/etc/group");
  let found = 0;
  for (const user of namesIn("/etc/passwd")) {
    const expected = execFileSync("id", ["-Gn", "--", user], { encoding: "utf8" }).trim().split(" ");
    const known = expected.filter((group) => groups.includes(group));
    assert.deepEqual((await systemGroups(user, groups)).sort(), known.sort(), user);
    found += known.length;
  }
  assert.ok(found > 5, `${found} memberships`);
});

test("nobody's user, and groups that there are none of", async () => {
  assert.deepEqual(await systemGroups("no-such-user-here", ["root"]), []);
  assert.deepEqual(await systemGroups("root", []), []);
  assert.deepEqual(await systemGroups("root", ["no-such-group-here"]), []);
  for (const user of ["", "a:b", "a\0b", "../root", "x".repeat(255)])
    assert.deepEqual(await systemGroups(user, ["root"]), [], user);
});

test("arguments that are none", () => {
  const call = native.groupMembership as (...args: unknown[]) => Promise<string[]>;
  assert.throws(() => call(1, []), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => call("root", "root"), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => call("root", [1]), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => call("ro\0ot", []), { code: "ERR_INVALID_ARG_TYPE" });
  assert.throws(() => call("root", Array(4097).fill("root")), { code: "ERR_OUT_OF_RANGE" });
});
