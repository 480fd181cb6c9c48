// Audit records in real files: appended whole whatever the disk does, followed when the file is moved away, lost by no
// rename under load; pipes that nobody reads; fsync when it was asked for.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { NetworkError } from "../../../src/errors.js";
import { AuditTrail } from "../../../src/observability/audit.js";
import { AuditFile, type Fsync } from "../../../src/observability/audit-file.js";
import { assertNoHoles, auditFile, ofType } from "../../support/audit.js";
import { until } from "../../support/kernel.js";
import { start } from "../../support/processes.js";
import { smallDisk } from "../../support/small-disk.js";
import { decision } from "./records.js";

async function begin(
  file: string,
  options: { onFull?: "block" | "drop"; queue?: number; fsync?: Fsync } = {},
) {
  const { fsync = "never", onFull = "block", queue = 10_000 } = options;
  const told: (string | null)[] = [];
  const trail = new AuditTrail(await AuditFile.open(file, fsync), { onFull, queue }, (event) => {
    if (event.type === "audit-trail") told.push(event.reason);
  });
  return { trail, told };
}

function scratch(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

const destinations = (file: string) =>
  ofType(auditFile(file), "decision").map(({ destination }) => destination);

test("records are appended, for nobody else to read", async (t) => {
  const file = path.join(scratch(t), "audit");
  for (const name of ["first.test", "second.test"]) {
    const { trail } = await begin(file);
    trail.add(decision(name));
    assert.equal(await trail.close(1000, true), 0);
  }
  assert.deepEqual(
    auditFile(file).map(({ seq, type }) => `${seq} ${type}`),
    ["1 start", "2 decision", "3 stop", "1 start", "2 decision", "3 stop"],
  );
  assert.deepEqual(destinations(file), ["first.test", "second.test"]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a line that a crash has left unfinished stays a line by itself", async (t) => {
  const file = path.join(scratch(t), "audit");
  writeFileSync(file, '{"v":1,"start":"00');
  const { trail } = await begin(file);
  await trail.close(1000, true);
  const [torn, ...whole] = readFileSync(file, "utf8").split("\n");
  assert.equal(torn, '{"v":1,"start":"00');
  writeFileSync(file, whole.join("\n"));
  assertNoHoles(auditFile(file));
});

test("text of hostile clients stays within its line", async (t) => {
  const file = path.join(scratch(t), "audit");
  const { trail } = await begin(file);
  const name = `a\n{"v":1}\r\u2028\u0000"\\${"\ud800"}`;
  trail.add(decision(name));
  await trail.close(1000, true);
  assert.deepEqual(destinations(file), [name]);
});

test("a file that can't be opened", async (t) => {
  const directory = scratch(t);
  for (const [file, code] of [
    [path.join(directory, "none", "audit"), "ENOENT"],
    [directory, "EISDIR"],
  ] as const) {
    await assert.rejects(AuditFile.open(file, "never"), (error) => {
      assert.ok(error instanceof NetworkError);
      assert.equal(error.code, "AUDIT_FILE");
      assert.match(error.message, new RegExp(`^the audit file can't be opened: ${code}`));
      return true;
    });
  }
});

test("a full disk: told, waited for, and no line torn or missing", async (t) => {
  const disk = await smallDisk(t, 64 * 1024);
  const [file, ballast] = [path.join(disk, "audit"), path.join(disk, "ballast")];
  const { trail, told } = await begin(file);
  await trail.written();
  // What is left is no multiple of a line.
  writeFileSync(ballast, Buffer.alloc(40 * 1024));
  for (let n = 0; n < 80; n += 1) trail.add(decision(`${n}.test`));
  let written = false;
  void trail.written().then(() => {
    written = true;
  });
  while (told.length === 0) await delay(10);
  assert.match(told[0] ?? "", /^the audit trail can't be written: ENOSPC/);
  assert.equal(written, false);
  // Whole lines only, though more would have found place.
  const before = auditFile(file).length;
  assert.ok(before > 5 && before < 60, `${before} records`);
  rmSync(ballast);
  await trail.written();
  assert.equal(told.at(-1), null);
  await trail.close(1000, true);
  assertNoHoles(auditFile(file));
  assert.deepEqual(
    destinations(file),
    Array.from({ length: 80 }, (_, n) => `${n}.test`),
  );
});

test("a full disk: what somebody else wrote meanwhile is not cut", async (t) => {
  const disk = await smallDisk(t, 64 * 1024);
  const [file, ballast] = [path.join(disk, "audit"), path.join(disk, "ballast")];
  const { trail, told } = await begin(file);
  await trail.written();
  appendFileSync(file, "not ours\n");
  writeFileSync(ballast, Buffer.alloc(56 * 1024));
  for (let n = 0; n < 50; n += 1) trail.add(decision(`${n}.test`));
  while (told.length === 0) await delay(10);
  rmSync(ballast);
  await trail.close(5000, true);
  writeFileSync(file, readFileSync(file, "utf8").replace("not ours\n", ""));
  // The line that was begun is ended when there is room.
  assertNoHoles(auditFile(file));
  assert.equal(destinations(file).length, 50);
});

test("/dev/full: dropped records are counted, and the end says how many were not written", async () => {
  const { trail, told } = await begin("/dev/full", { onFull: "drop", queue: 3 });
  for (let n = 0; n < 10; n += 1) trail.add(decision(`${n}.test`));
  while (!told.some((reason) => reason?.includes("ENOSPC"))) await delay(10);
  assert.equal(trail.dropped, 8);
  // The first one, two that found room, the loss and the last.
  assert.equal(await trail.close(100, true), 5);
});

for (const how of ["told", "noticed"] as const) {
  test(`a file that was moved away is followed when that is ${how}`, async (t) => {
    const directory = scratch(t);
    const [file, old] = [path.join(directory, "audit"), path.join(directory, "audit.1")];
    const { trail } = await begin(file, { fsync: "always" });
    trail.add(decision("old.test"));
    await trail.written();
    renameSync(file, old);
    if (how === "told") trail.reopen();
    else await delay(1100);
    trail.add(decision("new.test"));
    await trail.close(1000, true);
    assert.deepEqual([destinations(old), destinations(file)], [["old.test"], ["new.test"]]);
    assertNoHoles([...auditFile(old), ...auditFile(file)]);
  });
}

test("a directory that is gone is told of, and nothing is lost until it is back", async (t) => {
  const directory = path.join(scratch(t), "log");
  execFileSync("mkdir", [directory]);
  const file = path.join(directory, "audit");
  const { trail, told } = await begin(file);
  await trail.written();
  renameSync(directory, `${directory}.old`);
  trail.reopen();
  trail.add(decision("late.test"));
  while (told.length === 0) await delay(10);
  assert.match(told[0] ?? "", /^the audit trail can't be written: ENOENT/);
  execFileSync("mkdir", [directory]);
  await trail.close(5000, true);
  assertNoHoles([...auditFile(`${directory}.old/audit`), ...auditFile(file)]);
  assert.deepEqual(destinations(file), ["late.test"]);
});

test("renamed again and again under load, no line is lost or torn", async (t) => {
  const directory = scratch(t);
  const file = path.join(directory, "audit");
  const { trail } = await begin(file, { fsync: 5 });
  const COUNT = 20_000;
  let rotations = 0;
  for (let n = 0; n < COUNT; n += 1) {
    trail.add(decision(`${n}.test`));
    if (n % 500 !== 0) continue;
    // In the midst of writing: what was added is still on its way.
    if (n % 1000 === 0) await trail.written();
    else await new Promise((turn) => setImmediate(turn));
    try {
      renameSync(file, `${file}.${String(rotations).padStart(4, "0")}`);
      rotations += 1;
    } catch {
      // It has not been begun again yet.
    }
    trail.reopen();
  }
  assert.equal(await trail.close(10_000, true), 0);
  assert.ok(rotations > 10, `${rotations} rotations`);
  const files = readdirSync(directory).sort();
  // `audit` itself sorts first and is the last.
  const records = [...files.slice(1), "audit"].flatMap((name) => auditFile(path.join(directory, name)));
  assertNoHoles(records);
  assert.equal(ofType(records, "decision").length, COUNT);
});

/** A pipe with a name; its reader is the test's. */
function pipe(t: TestContext): string {
  const file = path.join(scratch(t), "pipe");
  execFileSync("mkfifo", [file]);
  return file;
}

test("a pipe without a reader can't be opened, and holds nobody up", async (t) => {
  await assert.rejects(AuditFile.open(pipe(t), "never"), /ENXIO/);
});

test("a pipe that nobody reads from: all waits, is bounded, and goes on where it stopped", async (t) => {
  const file = pipe(t);
  // Both ends, as opening only one would wait for the other.
  const reader = openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  const { trail, told } = await begin(file, { queue: 500 });
  let added = 0;
  for (; trail.full === null; added += 1) {
    trail.add(decision(`${added}.test`));
    // So slow that the pipe is full before the queue.
    if (added % 20 === 0) await delay(5);
  }
  assert.ok(added > 500, `${added} were added: the pipe itself takes some`);
  assert.match(told[0] ?? "", /nobody is let in$/);
  const closed = trail.close(20_000, true);
  const chunks: Buffer[] = [];
  const buffer = Buffer.alloc(1 << 16);
  const lines = () => Buffer.concat(chunks).toString().split("\n");
  while (!lines().some((line) => line.includes('"type":"stop"'))) {
    try {
      chunks.push(Buffer.from(buffer.subarray(0, readSync(reader, buffer))));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
      await delay(5);
    }
  }
  assert.equal(await closed, 0);
  const copy = `${file}.copy`;
  writeFileSync(copy, Buffer.concat(chunks));
  assertNoHoles(auditFile(copy));
  assert.equal(destinations(copy).length, added);
});

test("a pipe whose reader never comes back does not hold the end", async (t) => {
  const file = pipe(t);
  openSync(file, constants.O_RDWR | constants.O_NONBLOCK);
  const { trail } = await begin(file);
  for (let n = 0; n < 2000; n += 1) trail.add(decision(`${n}.test`));
  const left = await trail.close(200, true);
  assert.ok(left > 1000 && left <= 2002, `${left} left`);
});

const WRITER = fileURLToPath(new URL("./audit-writer.js", import.meta.url));

test("killed at any moment, the file holds whole lines, and none that was waited for is missing", async (t) => {
  const file = path.join(scratch(t), "audit");
  for (let round = 0; round < 10; round += 1) {
    const writer = await start(process.execPath, [WRITER, file], { test: t });
    await writer.waitForLine(/^\d+$/);
    await delay(10 * round);
    process.kill(writer.pid, "SIGKILL");
    await writer.exited;
    const acknowledged = Number(writer.stdout().trimEnd().split("\n").at(-1));
    const lines = readFileSync(file, "utf8").split("\n");
    // A write in which it was killed may be cut short: its last line is then no whole one.
    const torn = lines.pop() ?? "";
    writeFileSync(`${file}.whole`, lines.map((line) => `${line}\n`).join(""));
    const records = auditFile(`${file}.whole`);
    const last = records.findLast(({ type }) => type === "decision")?.seq ?? 0;
    assert.ok(last >= acknowledged, `${last} of ${acknowledged}, then ${JSON.stringify(torn)}`);
    assertNoHoles(records);
    rmSync(file);
  }
});

/** Counts the calls, which are made all the same. */
async function countSyncs(t: TestContext, file: string): Promise<() => number> {
  const handle = await open(file, "w");
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const counted = t.mock.method(prototype, "datasync");
  return () => counted.mock.callCount();
}

test("fsync: always, before anybody may go on", async (t) => {
  const file = path.join(scratch(t), "audit");
  const syncs = await countSyncs(t, file);
  const { trail } = await begin(file, { fsync: "always" });
  await trail.written();
  for (let n = 1; n <= 5; n += 1) {
    const before = syncs();
    trail.add(decision(`${n}.test`));
    await trail.written();
    assert.equal(syncs(), before + 1);
  }
  await trail.close(1000, true);
});

test("fsync: never, but at the end", async (t) => {
  const file = path.join(scratch(t), "audit");
  const syncs = await countSyncs(t, file);
  const { trail } = await begin(file, { fsync: "never" });
  for (let n = 1; n <= 5; n += 1) {
    trail.add(decision(`${n}.test`));
    await trail.written();
  }
  await delay(50);
  assert.equal(syncs(), 0);
  await trail.close(1000, true);
  assert.equal(syncs(), 1);
});

test("fsync: so long after a record was written, once for all of that time", async (t) => {
  const file = path.join(scratch(t), "audit");
  const syncs = await countSyncs(t, file);
  const { trail } = await begin(file, { fsync: 200 });
  for (let round = 1; round <= 2; round += 1) {
    for (let n = 1; n <= 5; n += 1) {
      trail.add(decision(`${n}.test`));
      await trail.written();
    }
    await until("it is synced", () => syncs() === round);
  }
  await delay(300);
  assert.equal(syncs(), 2, "nothing was written since");
  await trail.close(1000, true);
});

test("what follows a file with tail -F sees every line", async (t) => {
  const directory = scratch(t);
  const file = path.join(directory, "audit");
  const { trail } = await begin(file);
  await trail.written();
  const tail = await start("tail", ["-n", "+1", "-F", "-s", "0.05", file], { test: t });
  for (let n = 0; n < 3; n += 1) {
    trail.add(decision(`${n}.test`));
    await tail.waitForLine(new RegExp(`"${n}\\.test"`));
    renameSync(file, `${file}.${n}`);
    trail.reopen();
  }
  await trail.close(1000, true);
  await tail.waitForLine(/"type":"stop"/);
});
