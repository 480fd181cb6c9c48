/** What is never closed is released by the garbage collector. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "../support/processes.js";
import { Realm } from "../support/realm.js";

test("3000 pairs of contexts, names and credentials are forgotten", async () => {
  const realm = await Realm.start();
  try {
    await realm.kinit("alice");
    const script = fileURLToPath(new URL("collect.js", import.meta.url));
    const env = { ...realm.env, KRB5_TRACE: undefined };
    const { stdout } = await run(process.execPath, ["--expose-gc", script], { env, timeoutMs: 120_000 });
    // One round takes some 20 KB of the library's memory: kept, they would be 60 MB.
    const grown = Number(/^grown by (-?\d+) MB$/m.exec(stdout)?.[1]);
    assert.ok(grown < 20, stdout);
  } finally {
    await realm.stop();
  }
});
