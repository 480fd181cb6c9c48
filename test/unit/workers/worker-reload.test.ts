// What the primary makes of a worker's answer to a reload: sockets arrive open, and a worker that can't is not kept.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { closeSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Listener } from "../../../src/server/listener.js";
import { localCounts } from "../../../src/server/shared-counts.js";
import { WorkerProcess } from "../../../src/workers/worker-process.js";
import { scratch } from "../../support/identd.js";

/** Serves whatever socket it gets, and answers a reload with what the configuration says. */
const WORKER = `
import { createServer } from "node:net";
const answers = {
  start: async () => null,
  addSocket: (handle) => new Promise((resolve) => {
    createServer((socket) => socket.end("served")).listen(handle, () => resolve(true));
  }),
  reload: async ({ source }) => (source === "hang" ? new Promise(() => {}) : JSON.parse(source)),
};
process.on("message", async (batch, handle) => {
  for (const { call, args, id } of batch) {
    const value = await answers[call]?.(...(handle === undefined ? args : [handle]));
    if (id !== undefined) process.send([{ answer: id, value }]);
  }
});
`;

async function started(t: TestContext): Promise<WorkerProcess> {
  const file = path.join(await scratch(t), "worker.mjs");
  writeFileSync(file, WORKER);
  const child = fork(file, [], { stdio: ["ignore", "pipe", "inherit", "ipc"] });
  const setup = { file: "", source: "", workers: 1, sockets: [], ownListeners: [] };
  const trail = {
    full: null,
    state: { full: null, inOrder: true },
    watch: () => {},
    add: () => {},
    written: async () => {},
    room: async () => {},
  };
  const worker = new WorkerProcess(child, setup, {
    counts: localCounts(),
    lines: { write: () => {}, room: async () => {} },
    trail,
  });
  t.after(async () => {
    worker.kill();
    await worker.ended;
  });
  await worker.ready;
  return worker;
}

test("it has taken the configuration, and serves the sockets that came before", async (t) => {
  const worker = await started(t);
  const listeners = await Promise.all(
    [1, 2].map(() => Listener.open({ host: "127.0.0.1", port: 0 }, (socket) => socket.destroy())),
  );
  const sockets = listeners.map((listener) => listener.keep().descriptor);
  assert.equal(await worker.reload({ file: "f", source: '{"ended":4}' }, sockets), 4);
  // They are the worker's own by now.
  for (const descriptor of sockets) closeSync(descriptor);
  for (const { bound } of listeners)
    assert.equal(Buffer.concat(await connect(bound.port as number).toArray()).toString(), "served");
  assert.equal(await worker.reload({ file: "f", source: '{"ended":0}' }, []), 0);
});

test("one that can't is ended", async (t) => {
  const worker = await started(t);
  await assert.rejects(worker.reload({ file: "f", source: '{"failure":"no descriptors"}' }, []), {
    code: "WORKER_FAILED",
    message: `worker ${worker.pid} can't reload: no descriptors`,
  });
  assert.equal((await worker.ended).signal, "SIGKILL");
});

test("one that ends before it answers", async (t) => {
  const worker = await started(t);
  const reload = worker.reload({ file: "f", source: "hang" }, []);
  worker.kill();
  await assert.rejects(reload, /can't reload: worker \d+ ended \(SIGKILL\)/);
});
