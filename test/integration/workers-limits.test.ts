/**
 * What is tested: the limits on sessions hold across the workers of a server. Of a burst of clients exactly as many get in
 * as may, whoever serves them; their places are free again afterwards, those of a worker that was killed too.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine } from "../support/proxy.js";
import { onWorker, workersOf } from "../support/workers.js";

const SESSIONS = 40;
const PER_SOURCE = 25;
const BURST = 60;

async function start(context: TestContext) {
  const { proxy } = await proxiedRealm(context, {
    workers: 3,
    limits: { sessions: SESSIONS, perSource: { sessions: PER_SOURCE } },
    timeouts: { drain: "0s" },
  });

  /** Clients of which the log has told; their ports may come again. */
  const seen = new Set<string>();
  const nameOf = ({ client, time }: LogLine) => `${client} ${time}`;
  const open: Socket[] = [];

  /** A client from each source, all at once. @returns the log's lines of those that got in, and why others did not */
  async function burst(sources: readonly string[]) {
    for (const localAddress of sources) {
      const socket = connect({ port: proxy.port, host: "127.0.0.1", localAddress }).resume();
      open.push(socket.on("error", () => {}));
    }
    const told: LogLine[] = [];
    while (told.length < sources.length) {
      const isNew = (line: LogLine) =>
        (line.msg === "session opened" || line.msg === "connection refused") && !seen.has(nameOf(line));
      const line = await proxy.waitForLog(isNew);
      seen.add(nameOf(line));
      told.push(line);
    }
    const inside = told.filter(({ msg }) => msg === "session opened");
    const reasons = told.filter(({ msg }) => msg === "connection refused").map(({ reason }) => reason);
    return { inside, reasons: [...new Set(reasons)] };
  }

  function leave(): void {
    for (const socket of open.splice(0)) socket.resetAndDestroy();
  }
  context.after(leave);

  /** As many bursts as workers, each accepted by one of them, before the rest come to whoever is there. */
  async function burstOnAll(sources: readonly string[]) {
    const inside: LogLine[] = [];
    const workers = workersOf(proxy);
    for (const [index, worker] of workers.entries()) {
      const first = await onWorker(proxy, worker, () => burst(sources.slice(3 * index, 3 * index + 3)));
      assert.deepEqual(
        first.inside.map((line) => line.worker),
        [worker, worker, worker],
      );
      inside.push(...first.inside);
    }
    const rest = await burst(sources.slice(3 * workers.length));
    return { inside: [...inside, ...rest.inside], reasons: rest.reasons };
  }

  /** A place is free when the worker's word of it has come to the primary, so until then some are refused. */
  async function fill(sources: readonly string[]): Promise<void> {
    let inside = 0;
    while (inside < sources.length) inside += (await burst(sources.slice(inside))).inside.length;
  }

  return { proxy, burst, burstOnAll, fill, leave };
}

test("from one source", async (context) => {
  const { burst, burstOnAll, fill, leave } = await start(context);
  const source = "127.0.0.2";
  const { inside, reasons } = await burstOnAll(Array.from({ length: BURST }, () => source));
  assert.equal(inside.length, PER_SOURCE);
  const full = `${PER_SOURCE} sessions are open from ${source}, which is the limit (limits.perSource.sessions)`;
  assert.deepEqual(reasons, [full]);

  leave();
  await fill(Array.from({ length: PER_SOURCE }, () => source));
  assert.deepEqual((await burst([source, source, source])).reasons, [full]);
});

test("in all, and a worker that is killed leaves its places", async (context) => {
  const { proxy, burst, burstOnAll, fill, leave } = await start(context);
  const sources = Array.from({ length: BURST }, (_, index) => `127.0.1.${index + 1}`);
  const { inside, reasons } = await burstOnAll(sources);
  assert.equal(inside.length, SESSIONS);
  const full = `${SESSIONS} sessions are open, which is the limit (limits.sessions)`;
  assert.deepEqual(reasons, [full]);

  const worker = inside[0]?.worker as number;
  const its = inside.filter((line) => line.worker === worker);
  process.kill(worker, "SIGKILL");
  const died = await proxy.waitForLog(({ msg }) => msg === "worker died");
  assert.deepEqual(
    [died.worker, died.code, died.signal, died.sessions],
    [worker, null, "SIGKILL", its.length],
  );
  const again = await burst(sources);
  assert.equal(again.inside.length, its.length);
  assert.deepEqual(again.reasons, [full]);

  leave();
  await fill(sources.slice(0, SESSIONS));
  assert.deepEqual((await burst(sources)).reasons, [full]);
});
