// What one worker holds: it is counted with all others', given back once and no more, whenever the worker ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PasswordThrottle } from "../../../src/auth/password-throttle.js";
import { AuditTrail } from "../../../src/observability/audit.js";
import { LocalPlaces } from "../../../src/server/shared-counts.js";
import { WorkerShare } from "../../../src/workers/worker-share.js";

const NO_QUEUE = { onFull: "drop", queue: 1 } as const;

const PLACE = { key: "sessions", most: 3 };

function two() {
  const places = new LocalPlaces();
  const passwords = new PasswordThrottle({ now: () => 0, name: { burst: 2, forgiven: 1000 } });
  const counts = { places, passwords };
  const trail = new AuditTrail(
    { write: async (entries) => void entries.splice(0), close: async () => {} },
    NO_QUEUE,
    () => {},
  );
  return { places, one: new WorkerShare(counts, trail), other: new WorkerShare(counts, trail) };
}

test("places count together; those of a worker that is gone are free", async () => {
  const { places, one, other } = two();
  assert.equal(await one.take([PLACE]), null);
  assert.equal(await one.take([PLACE, { key: "more", most: 1 }]), null);
  assert.equal(await other.take([PLACE]), null);
  assert.deepEqual(await other.take([PLACE]), PLACE);
  one.release(["sessions"]);
  assert.equal(await other.take([PLACE]), null);
  assert.deepEqual([one.held("sessions"), other.held("sessions")], [1, 2]);

  one.giveBack();
  assert.deepEqual([places.taken("sessions"), places.taken("more")], [2, 0]);
  // Read only after its end.
  one.release(["sessions"]);
  await one.take([PLACE]);
  assert.equal(places.taken("sessions"), 2);
});

test("attempts count together; those of a worker that is gone count for nothing", async () => {
  const { one, other } = two();
  const begin = (share: WorkerShare, attempt: number) => share.beginAttempt(attempt, "alice", "192.0.2.1");
  assert.deepEqual([await begin(one, 1), await begin(one, 2)], [null, null]);
  const order: string[] = [];
  const given = begin(one, 3).then(() => order.push("given up"));
  const waiting = begin(other, 1).then((refusal) => order.push(`other ${refusal}`));
  one.giveUpAttempt(3);
  await given;
  one.giveBack();
  await waiting;
  assert.deepEqual(order, ["given up", "other null"]);
  other.settleAttempt(1, "wrong");
  assert.equal(await begin(other, 2), null);
  other.settleAttempt(2, "wrong");
  assert.match((await begin(other, 3)) ?? "", /^too many wrong passwords for this name/);
});

test("one that is given up as it is granted is settled", async () => {
  const { one, other } = two();
  const granted = one.beginAttempt(1, "alice", "192.0.2.1");
  one.giveUpAttempt(1);
  await granted;
  for (const attempt of [1, 2]) assert.equal(await other.beginAttempt(attempt, "alice", "192.0.2.1"), null);
});
