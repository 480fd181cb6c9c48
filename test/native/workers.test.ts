/** The addon in several threads of one process. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { Worker } from "node:worker_threads";
import { native } from "../../src/gss/native.js";
import { GSS_MECH_KRB5 } from "../../src/gss/oids.js";
import { Realm } from "../support/realm.js";

const script = new URL("worker.js", import.meta.url);

let realm: Realm;
before(async () => {
  realm = await Realm.start();
  realm.enter(await realm.kinit("alice"));
});
after(() => realm.stop());

test("workers side by side, and handles that do not cross over", async () => {
  const workers = Array.from({ length: 4 }, () => new Worker(script));
  const ended = workers.map((worker) => once(worker, "exit"));
  for (const [{ message, target }] of await Promise.all(workers.map((worker) => once(worker, "message")))) {
    assert.equal(message, "from a worker");
    assert.throws(() => native.displayName(target), { code: "ERR_GSSOCKS_HANDLE" });
  }
  for (const [code] of await Promise.all(ended)) assert.equal(code, 0);
});

test("workers that are terminated in the middle of calls", async () => {
  for (let round = 0; round < 10; round++) {
    const workers = Array.from({ length: 3 }, () => new Worker(script, { workerData: "forever" }));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    for (const code of await Promise.all(workers.map((worker) => worker.terminate()))) assert.equal(code, 1);
  }
  assert.ok(native.indicateMechs().includes(GSS_MECH_KRB5));
});
