// What carries a session is the addon where that can be, and Node where it can't: nothing is lost for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "../../support/processes.js";

test("without descriptors for the addon's threads, or for its sockets, Node carries on", async () => {
  const script = fileURLToPath(new URL("few-descriptors.js", import.meta.url));
  const limited = ["-c", 'ulimit -n 100; exec "$@"', "sh", process.execPath, script];
  const { stdout } = await run("sh", limited);
  const carriers = ["Pump", "Pump", "Pump", "NativePump", "Pump", "Pump", "NativePump"];
  assert.deepEqual(
    stdout.trim().split("\n"),
    carriers.map((name) => `${name}: question, answer, null`),
  );
});
