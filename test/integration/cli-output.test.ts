/**
 * What is tested: what commands come to when nobody reads what they print, as behind `| head -1`: they end without a word,
 * with the status that they would have had. A full disk is a failure, and is told.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { stringify } from "yaml";
import { scratch } from "../support/identd.js";
import { runToEnd } from "../support/processes.js";
import { CLI } from "../support/proxy.js";

/** The command begins when the reading end of these pipes is closed. */
async function unread(args: readonly string[], which: readonly ("stdout" | "stderr")[]) {
  const wait = ["-c", 'read -r go && exec "$@"', "sh", process.execPath, CLI, ...args];
  const child = spawn("sh", wait);
  const stderr = which.includes("stderr") ? "" : text(child.stderr);
  await Promise.all(
    which.map((name) => {
      const closed = once(child[name], "close");
      child[name].destroy();
      return closed;
    }),
  );
  child.stdin.end("go\n");
  const [code] = await once(child, "close");
  return { code, stderr: await stderr };
}

test("a reader that is gone is no failure", async (t) => {
  const file = path.join(await scratch(t), "gssocks.yaml");
  const deny = ["explain", file, "--to", "db.example.test:5432"];
  writeFileSync(file, stringify({ listeners: [{ address: "127.0.0.1:0" }], rules: [{ deny: {} }] }));
  for (const [args, status] of [
    [["--help"], 0],
    [["forward", "--help"], 0],
    [["--version"], 0],
    [["check", "--schema"], 0],
    [["env"], 0],
    [["mechs", "--json"], 0],
    [deny, 1],
  ] as const) {
    const { code, stderr } = await unread(args, ["stdout"]);
    assert.deepEqual([code, stderr], [status, ""], args.join(" "));
  }
  // There is nobody to tell of what is wrong either.
  assert.equal((await unread(["nosuch"], ["stderr", "stdout"])).code, 2);
});

test("head sees what it wants", async () => {
  const script = '"$@" | head -n 1; echo "$' + '{PIPESTATUS[0]}"';
  const { stdout, stderr } = await runToEnd("bash", ["-c", script, "bash", process.execPath, CLI, "--help"]);
  assert.deepEqual([stdout, stderr], ["Usage: gssocks [options] [command]\n0\n", ""]);
});

test("what can't be written for another reason is told", async () => {
  const script = 'exec "$@" > /dev/full';
  const { code, stderr } = await runToEnd("sh", ["-c", script, "sh", process.execPath, CLI, "env"]);
  assert.equal(code, 1);
  assert.match(stderr, /^gssocks: standard output can't be written: ENOSPC[^\n]*\n$/);
});
