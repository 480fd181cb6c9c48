/** What is tested: `gssocks connect` ends when the reader of its output goes away while the pipe is full, and says so. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Origin } from "../support/origin.js";
import { runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";

const FULL_PIPE = fileURLToPath(new URL("../../../test/support/full_pipe.py", import.meta.url));

test("a reader that goes away while its pipe is full", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const origin = await Origin.start((socket) => socket.end(Buffer.alloc(20 << 20)));
  t.after(() => origin.stop());
  const args = ["connect", "127.0.0.1", String(origin.port), "--proxy", `localhost:${proxy.port}`];
  const { code, stderr } = await runToEnd("python3", [FULL_PIPE, process.execPath, CLI, ...args], {
    env: realm.env,
  });
  assert.equal(stderr, "gssocks: standard output was closed\n");
  assert.equal(code, 1);
});
