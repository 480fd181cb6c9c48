// Child processes of tests: waited for by a line, stopped by pid, reaped, and never left behind.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { run, runToEnd, start } from "../../support/processes.js";

test("a line is waited for, early or late, on either stream; a part of one is not a line", async (t) => {
  const child = await start("sh", ["-c", 'printf "rea"; read -r _; echo "dy 7"; echo late >&2; read -r _'], {
    test: t,
  });
  const late = child.waitForLine(/^late$/);
  await assert.rejects(child.waitForLine(/^rea/, 200), /no \/\^rea\/ within 200 ms/);
  child.stdin.write("\n");
  await late;
  assert.equal((await child.waitForLine(/^ready (\d)/))[1], "7");
  assert.deepEqual(await child.stop(), { code: null, signal: "SIGTERM" });
  assert.throws(() => process.kill(child.pid, 0), /ESRCH/);
  assert.deepEqual(await child.stop(), { code: null, signal: "SIGTERM" });
});

test("a process that ends before its line, or fails, shows what it wrote", async () => {
  const child = await start("sh", ["-c", "echo why >&2; exit 3"]);
  await assert.rejects(child.waitForLine(/ready/), /ended \(3\) before[\s\S]*why/);
  await assert.rejects(run("sh", ["-c", "echo reason; exit 4"]), /ended with 4\nreason/);
  assert.equal((await runToEnd("cat", [], { input: "in" })).stdout, "in");
  await assert.rejects(run("sleep", ["60"], { timeoutMs: 100 }), /ended with SIGKILL/);
});

test("a child dies with its parent, even if that is killed", async () => {
  const module = JSON.stringify(new URL("../../support/processes.js", import.meta.url).href);
  const script = `import(${module}).then(async (m) => console.log("child", (await m.start("sleep", ["600"])).pid))`;
  const parent = await start(process.execPath, ["-e", script]);
  const pid = (await parent.waitForLine(/^child (\d+)$/))[1];
  // setpriv asks the kernel for the signal, then becomes the program.
  while (readFileSync(`/proc/${pid}/comm`, "utf8") !== "sleep\n") await new Promise(setImmediate);
  await parent.stop("SIGKILL");
  // The signal was sent when the parent died. What is left to wait for is the reaper's.
  const state = () => {
    try {
      return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    } catch {
      return "gone";
    }
  };
  while (!["Z", "X", "gone"].includes(state() ?? "")) await new Promise(setImmediate);
});
