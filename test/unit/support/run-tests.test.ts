// The test runner: what it finds, what it refuses, and what it prints last.
import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { runToEnd } from "../../support/processes.js";

const runner = new URL("../../../../scripts/run-tests.mjs", import.meta.url);
const files = {
  "unit/passes.test.js": 'test("passes", () => { globalThis.gc(); });',
  "unit/deep/fails.test.js": 'test("fails", () => { throw new Error("why it failed"); });',
  "silent-skip.test.js": 'test("quiet", { skip: true }, () => {});',
  "skip.test.js":
    'test("group", async (t) => { await t.test("inner", { skip: "no such machine" }, () => {}); });',
  "helper.js": 'throw new Error("not a test");',
};

test("run-tests", async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), "runner-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  await mkdir(path.join(root, "scripts"));
  await copyFile(runner, path.join(root, "scripts/run-tests.mjs"));
  await writeFile(path.join(root, "package.json"), '{"type":"module"}');
  for (const [name, body] of Object.entries(files)) {
    const file = path.join(root, "dist/test", name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, `import test from "node:test";\n${body}\n`);
  }
  const runTests = (args: string[], env: Record<string, string | undefined> = {}) =>
    runToEnd(process.execPath, [path.join(root, "scripts/run-tests.mjs"), ...args], {
      // Without it the inner runner takes itself for a part of this one.
      env: { NODE_TEST_CONTEXT: undefined, CI: undefined, ...env },
    });

  await t.test("runs what matches, with gc, and ends with the summary", async () => {
    const { code, stdout } = await runTests(["test/unit/passes.test.ts"]);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /tests 1\n[\s\S]*pass 1\n[\s\S]*fail 0\n/);
  });

  await t.test("a failure is one, in whatever directory", async () => {
    const { code, stdout } = await runTests([]);
    assert.equal(code, 1);
    assert.match(stdout, /why it failed/);
    assert.match(stdout, /fail 1\n/);
    assert.doesNotMatch(stdout, /not a test/);
  });

  await t.test("--grep chooses tests by name", async () => {
    const { code, stdout } = await runTests(["--grep", "^passes$", "unit"]);
    assert.equal(code, 0, stdout);
  });

  await t.test("a skip needs a reason, and in CI an accepted one", async () => {
    assert.match((await runTests(["silent-skip"])).stderr, /quiet \(no reason given\)/);
    assert.equal((await runTests(["silent-skip"])).code, 1);
    assert.equal((await runTests(["test/skip"])).code, 0);
    const refused = await runTests(["test/skip"], { CI: "true" });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /not accepted: inner \(no such machine\)/);
  });

  await t.test("no match and unknown options are errors", async () => {
    assert.equal((await runTests(["no-such-file"])).code, 2);
    assert.equal((await runTests(["--nonsense"])).code, 2);
  });
});
