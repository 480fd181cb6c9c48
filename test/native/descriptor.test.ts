/** A listening socket by a second descriptor: it outlives the first, and accepts for whoever listens on it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { closeSync, fstatSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { native } from "../../src/gss/native.js";
import { Listener } from "../../src/server/listener.js";

test("a listener that is kept listens on, for others to accept", async () => {
  const at = { host: "127.0.0.1", port: 0 };
  const here = await Listener.open(at, () => assert.fail("accepted here"));
  const { port } = here.bound;
  const kept = here.keep();
  const waiting = connect(port as number, "127.0.0.1");
  const there = await Listener.share(kept, (socket) => socket.destroy(), at);
  assert.equal(String(there), `127.0.0.1:${port}`);
  await once(waiting.resume(), "close");
  there.close();
});

test("what is no descriptor is an error", () => {
  const duplicate = native.duplicateDescriptor(0);
  assert.ok(duplicate > 2);
  closeSync(duplicate);
  assert.throws(() => fstatSync(duplicate), { code: "EBADF" });
  assert.throws(() => native.duplicateDescriptor(duplicate), /Bad file descriptor/);
  assert.throws(() => native.duplicateDescriptor(-1), RangeError);
  assert.throws(() => native.duplicateDescriptor("0" as never), TypeError);
});
