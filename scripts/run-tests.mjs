// run-tests.mjs [OPTION]... [TEXT]...: runs the compiled tests, all of them or those whose path holds a TEXT.
//   --grep PATTERN    only tests whose name matches
// Every skip must give its reason. With CI=true in the environment a skip fails the run unless its reason is on the
// list below: a test that does not run proves nothing.
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

// Reasons (as the tests give them) that are accepted where a machine cannot do better.
const acceptedSkips = [];

const timeoutMs = 120_000;
// For the whole run: a file whose test has failed by the timeout may keep its process alive (Node 24 waits for it).
const limitMs = 15 * 60_000;
const root = fileURLToPath(new URL("../", import.meta.url));
const tests = path.join(root, "dist", "test");

const filters = [];
const options = [];
const args = process.argv.slice(2);
while (args.length > 0) {
  const arg = args.shift();
  if (arg === "--grep") options.push(`--test-name-pattern=${args.shift() ?? ""}`);
  else if (arg.startsWith("--")) fail(`no such option: ${arg}`);
  else filters.push(arg.replace(/^\.?\/|\.tsx?$|\.js$/g, ""));
}

const files = readdirSync(tests, { recursive: true })
  .filter((file) => file.endsWith(".test.js"))
  .map((file) => path.join(tests, file))
  .filter((file) => filters.length === 0 || filters.some((text) => path.relative(root, file).includes(text)))
  .sort();
if (files.length === 0) fail("no test file matches");

// All that tests write goes here and is removed, even if a test was killed.
const scratch = mkdtempSync(path.join(tmpdir(), "gssocks-test-"));
// Some tests act as another user, who has to get at what they wrote.
chmodSync(scratch, 0o755);
const report = path.join(scratch, "report.tap");
const child = spawn(
  process.execPath,
  [
    "--test",
    "--enable-source-maps",
    "--expose-gc",
    "--test-concurrency=2",
    `--test-timeout=${timeoutMs}`,
    "--test-reporter=tap",
    `--test-reporter-destination=${report}`,
    // The last reporter's output is the last on the screen: the summary.
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    ...options,
    ...files,
  ],
  { cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, TMPDIR: scratch } },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));

const limit = setTimeout(() => {
  console.error(`run-tests: not done within ${limitMs / 60_000} minutes`);
  child.kill("SIGTERM");
}, limitMs);

child.on("exit", (code) => {
  clearTimeout(limit);
  const skips = skipsOf(readFileSync(report, "utf8"));
  rmSync(scratch, { recursive: true, force: true });
  const refused = skips.filter(({ reason }) =>
    process.env.CI === "true" ? !acceptedSkips.includes(reason) : reason === "",
  );
  for (const { name, reason } of refused) {
    console.error(`run-tests: a skip that is not accepted: ${name} (${reason || "no reason given"})`);
  }
  process.exitCode = code === 0 && refused.length === 0 ? 0 : 1;
});

function skipsOf(tap) {
  return [...tap.matchAll(/^ *(?:not )?ok \d+ - (.*?) # SKIP *(.*)$/gm)].map(([, name, reason]) => ({
    name,
    reason,
  }));
}

function fail(message) {
  console.error(`run-tests: ${message}`);
  process.exit(2);
}
