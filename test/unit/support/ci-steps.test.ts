// What the continuous integration says of its steps: which passed, which failed, and which could not be run.
import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { runToEnd } from "../../support/processes.js";

const STEPS = fileURLToPath(new URL("../../../../.ci/steps", import.meta.url));

function run(...steps: string[]) {
  return runToEnd("bash", ["-uo", "pipefail", "-c", `. "$0"; ${steps.join("; ")}; outcome`, STEPS]);
}

test("steps", async (t) => {
  await t.test("all passed", async () => {
    const { code, stdout } = await run("step one true", "step two true");
    assert.equal(code, 0);
    assert.match(stdout, /^--- one: true\n--- one: passed \(\d+ s\)\n/);
    assert.match(stdout, /\npassed: one two\n$/);
  });

  await t.test("one could not be run, which is neither", async () => {
    const { code, stdout } = await run("step one true", "step two bash -c 'exit 77'");
    assert.equal(code, 0);
    assert.match(stdout, /\n--- two: NOT RUN \(\d+ s\)\n/);
    assert.match(stdout, /\nNOT RUN: two; passed: one\n$/);
  });

  await t.test("a function may say why it could not be run", async () => {
    const { code, stdout } = await run(
      "one() { reason='no engine'; return 77; }",
      "step one one",
      "step two false",
    );
    assert.equal(code, 1);
    assert.match(stdout, /\nFAILED: two; NOT RUN: one \(no engine\)\n$/);
  });

  await t.test("one failed, and the next is run all the same", async () => {
    const { code, stdout } = await run("step one false", "step two bash -c 'exit 77'", "step three true");
    assert.equal(code, 1);
    assert.match(stdout, /\n--- one: FAILED \(\d+ s\)\n/);
    assert.match(stdout, /\nFAILED: one; NOT RUN: two; passed: three\n$/);
  });
});
