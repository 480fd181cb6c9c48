// The trail by itself, over a sink that the test opens and shuts: numbers and order, who waits and who need not, what is
// dropped and how that is told, failures and the end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AuditEntry,
  type AuditSink,
  AuditTrail,
  type AuditTrailOptions,
} from "../../../src/observability/audit.js";
import type { ServerEvent } from "../../../src/observability/events.js";
import { decision } from "./records.js";

type Told = Extract<ServerEvent, { type: "audit-trail" }>;

/** Takes what it is given while it is open. */
class Gate implements AuditSink {
  readonly taken: AuditEntry[] = [];
  /** How many it takes before it fails; null for all. */
  takes: number | null = null;
  failure: Error | null = null;
  #open: () => void = () => {};
  #shut: Promise<void> | null = null;

  shut(): void {
    this.#shut = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#shut = null;
    this.#open();
  }

  async write(entries: AuditEntry[]): Promise<void> {
    await this.#shut;
    this.taken.push(...entries.splice(0, this.takes ?? entries.length));
    if (this.failure !== null) throw this.failure;
  }

  async close(): Promise<void> {}

  /** `3 x.test` */
  get lines(): string[] {
    return this.taken.map(({ seq, record }) => {
      if (record.type === "decision") return `${seq} ${record.destination}`;
      return record.type === "lost" ? `${seq} lost ${record.first}-${record.last}` : `${seq} ${record.type}`;
    });
  }
}

function begin(options: AuditTrailOptions, shut = false) {
  const sink = new Gate();
  if (shut) sink.shut();
  const told: Told[] = [];
  const trail = new AuditTrail(sink, options, (event) => {
    assert.equal(event.type, "audit-trail");
    told.push(event as Told);
  });
  return {
    sink,
    told,
    trail,
    add: (...names: string[]) => {
      for (const name of names) trail.add(decision(name));
    },
  };
}

/** Whether it is fulfilled once all that is under way has gone on. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((turn) => setImmediate(turn, false))]);
}

const BLOCK = { onFull: "block", queue: 4 } as const;
const DROP = { onFull: "drop", queue: 4 } as const;

test("records are numbered as they come, and written in that order, between a first and a last one", async () => {
  const { sink, trail, add } = begin(BLOCK);
  add("a.test", "b.test");
  await trail.written();
  add("c.test");
  assert.equal(await trail.close(1000, true), 0);
  assert.deepEqual(sink.lines, ["1 start", "2 a.test", "3 b.test", "4 c.test", "5 stop"]);
  assert.equal(new Set(sink.taken.map(({ start }) => start)).size, 1);
  assert.match(sink.taken[0]?.start ?? "", /^[0-9a-f]{16}$/);
});

test("block: whoever waits does so for what was told until then, and for no more", async () => {
  const { sink, trail, add } = begin(BLOCK, true);
  add("a.test");
  const first = trail.written();
  assert.equal(await isDone(first), false);
  sink.open();
  await first;
  assert.equal(sink.lines.at(-1), "2 a.test");
  sink.shut();
  assert.equal(await isDone(trail.written()), true, "nothing is under way");
  add("b.test");
  assert.equal(await isDone(trail.written()), false);
});

test("block: nobody is let in while the queue is full, datagrams wait then too, and no record is lost", async () => {
  const { sink, told, trail, add } = begin(BLOCK, true);
  add("a.test", "b.test");
  assert.equal(trail.full, null);
  assert.equal(await isDone(trail.room()), true);
  add("c.test");
  assert.equal(trail.full, "4 records wait for the audit trail, which is the limit (audit.queue)");
  assert.equal(await isDone(trail.room()), false);
  // Of sessions that were open before.
  add("d.test", "e.test");
  assert.deepEqual(
    told.map(({ reason, waiting, dropped }) => [reason, waiting, dropped]),
    [["4 records wait, which is the limit (audit.queue): nobody is let in", 4, 0]],
  );
  const room = trail.room();
  sink.open();
  await room;
  assert.equal(trail.full, null);
  assert.deepEqual(sink.lines, ["1 start", "2 a.test", "3 b.test", "4 c.test", "5 d.test", "6 e.test"]);
  await trail.close(1000, true);
  assert.deepEqual(told.at(-1)?.reason, null);
});

test("drop: what finds no room is counted, has its number, and is told of once there is room", async () => {
  const { sink, told, trail, add } = begin(DROP, true);
  add("a.test", "b.test", "c.test", "lost.test", "lost.test");
  assert.equal(trail.full, null);
  assert.equal(await isDone(trail.written()), true, "nobody waits");
  assert.deepEqual([trail.dropped, told[0]?.dropped, told.length], [2, 1, 1]);
  assert.match(told[0]?.reason ?? "", /^4 records wait, .*: further ones are dropped$/);
  sink.open();
  await delay(0);
  // Without anybody who adds one.
  assert.deepEqual(sink.lines, ["1 start", "2 a.test", "3 b.test", "4 c.test", "7 lost 5-6"]);
  add("d.test");
  await trail.close(1000, true);
  assert.deepEqual(sink.lines.slice(5), ["8 d.test", "9 stop"]);
  assert.deepEqual([told.at(-1)?.reason, told.at(-1)?.dropped], [null, 2]);
});

test("drop: the loss comes before what is taken after it", async () => {
  const { sink, trail, add } = begin(DROP, true);
  add("a.test", "b.test", "c.test", "lost.test");
  const ended = trail.close(1000, true);
  sink.open();
  assert.equal(await ended, 0);
  assert.deepEqual(sink.lines.slice(3), ["4 c.test", "6 lost 5-5", "7 stop"]);
});

test("a sink that fails is told of once, tried again, and given what it has not taken", async () => {
  const { sink, told, trail, add } = begin({ onFull: "block", queue: 100 });
  await trail.written();
  sink.failure = new Error("ENOSPC");
  sink.takes = 1;
  add("a.test", "b.test", "c.test");
  // Tried again while it fails.
  while (sink.taken.length < 3) await delay(10);
  assert.equal(await isDone(trail.written()), false);
  assert.equal(await isDone(trail.room()), false, "though there would be room");
  sink.failure = null;
  sink.takes = null;
  await trail.written();
  assert.deepEqual(sink.lines, ["1 start", "2 a.test", "3 b.test", "4 c.test"]);
  assert.deepEqual(
    told.map(({ reason }) => reason),
    ["the audit trail can't be written: ENOSPC", null],
  );
});

test("the end: what could not be written is counted, and who waits for it never passes", async () => {
  const { sink, told, trail, add } = begin(BLOCK, true);
  add("a.test", "b.test");
  const waiting = trail.written();
  assert.equal(await trail.close(20, true), 4);
  assert.equal(told.at(-1)?.reason, "4 records could not be written before the end");
  add("late.test");
  assert.equal(await isDone(waiting), false);
  assert.equal(await isDone(trail.written()), false);
  assert.equal(await isDone(trail.room()), false);
  assert.equal(trail.full, "the audit trail ends");
  sink.open();
  assert.equal(await isDone(waiting), false);
});

test("where sessions were cut off, no last record says that all was in order", async () => {
  const { sink, trail, add } = begin(BLOCK);
  add("a.test");
  assert.equal(await trail.close(1000, false), 0);
  assert.deepEqual(sink.lines, ["1 start", "2 a.test"]);
});
