/**
 * What is tested: that nobody passes without a trace. While the audit trail can't be written (a full disk, a pipe that
 * nobody reads), `block` lets nobody to a destination and `drop` counts what is lost; the log says so loudly; when there
 * is room again, all goes on where it stopped; and whoever got through before a kill -9 has a record.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, openSync, readFileSync, readSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { REP } from "../../src/protocol/constants.js";
import { assertNoHoles, auditFile, auditRecord, ofType } from "../support/audit.js";
import { until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { smallDisk } from "../support/small-disk.js";

async function start(t: TestContext, audit: object, more: object = {}) {
  const { realm, proxy } = await proxiedRealm(t, { audit, timeouts: { drain: "0s" }, ...more });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  return { realm, proxy, origin };
}

/** An echo through the proxy. @returns the client's address */
async function passes(proxy: ProxyServer, origin: Origin): Promise<string> {
  const client = await RawClient.through(proxy, origin);
  client.send(client.seal(Buffer.from("hello")));
  assert.equal((await client.open()).toString(), "hello");
  client.close();
  return client.address;
}

const failing = (reason: RegExp) => (line: Record<string, unknown>) =>
  line.msg === "audit trail fails" && reason.test(String(line.reason));

test("a full disk: who asks waits, is let go when his time is over, or passes once there is room", async (t) => {
  const disk = await smallDisk(t, 64 * 1024);
  const [file, ballast] = [path.join(disk, "audit"), path.join(disk, "ballast")];
  const { proxy, origin } = await start(t, { file }, { timeouts: { connect: "1s", drain: "0s" } });
  const patient = await RawClient.ready(proxy);
  t.after(() => patient.close());
  // Every octet, but what is left of the page that the file has: some pass yet.
  assert.throws(() => writeFileSync(ballast, Buffer.alloc(128 * 1024)), /ENOSPC/);
  for (;;) {
    const client = await RawClient.ready(proxy);
    const rep = await client.request("127.0.0.1", origin.port);
    client.close();
    if (rep === REP.SUCCEEDED) continue;
    assert.equal(rep, REP.TTL_EXPIRED);
    break;
  }
  await proxy.waitForLog(failing(/^the audit trail can't be written: ENOSPC/));
  const reached = origin.sockets.length;
  const hasty = await RawClient.ready(proxy);
  assert.equal(await hasty.request("127.0.0.1", origin.port), REP.TTL_EXPIRED);
  hasty.close();
  assert.equal(origin.sockets.length, reached, "nobody got through");

  const waiting = patient.request("127.0.0.1", origin.port);
  rmSync(ballast);
  assert.equal(await waiting, REP.SUCCEEDED);
  await proxy.waitForLog(({ msg }) => msg === "audit trail works again");
  patient.close();
  proxy.signal("SIGTERM");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const records = auditFile(file);
  assertNoHoles(records);
  const allowed = ofType(records, "decision").filter(({ decision }) => decision === "allow");
  assert.ok(allowed.length >= origin.sockets.length, "each that got through has a record");
});

test("a disk that stays full: the end is not held up, and its status says so", async (t) => {
  const { proxy, origin } = await start(
    t,
    { file: "/dev/full" },
    { timeouts: { connect: "500ms", drain: "0s" } },
  );
  const client = await RawClient.ready(proxy);
  t.after(() => client.close());
  assert.equal(await client.request("127.0.0.1", origin.port), REP.TTL_EXPIRED);
  assert.equal(origin.sockets.length, 0);
  proxy.signal("SIGTERM");
  assert.deepEqual(await proxy.exited, { code: 1, signal: null });
  // The start, the decision, the session's end and the stop.
  const { reason } = await proxy.waitForLog(({ msg, severity }) => msg === "failed" && severity === "fatal");
  assert.equal(reason, "4 audit records could not be written");
});

test("a file that can't be opened: it does not start", async (t) => {
  await assert.rejects(
    proxiedRealm(t, { audit: { file: "/nowhere/audit" } }),
    /the audit file can't be opened: ENOENT/,
  );
});

/** A pipe, and what comes out of it once the test reads. */
class Pipe {
  readonly path: string;
  readonly #end: number;
  readonly #chunks: Buffer[] = [];

  constructor(directory: string) {
    this.path = path.join(directory, "pipe");
    execFileSync("mkfifo", [this.path]);
    // Both ends, as opening only one would wait for the other.
    this.#end = openSync(this.path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  read() {
    const buffer = Buffer.alloc(1 << 16);
    try {
      for (;;) this.#chunks.push(Buffer.from(buffer.subarray(0, readSync(this.#end, buffer))));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "EAGAIN");
    }
    return Buffer.concat(this.#chunks).toString().split("\n").slice(0, -1).map(auditRecord);
  }

  async readUntil(what: string, holds: (records: ReturnType<Pipe["read"]>) => boolean) {
    await until(what, () => holds(this.read()));
    return this.read();
  }
}

/** A session that leaves one record. @returns whether it was served */
async function nonsense(proxy: ProxyServer): Promise<boolean> {
  try {
    const client = await RawClient.connect(proxy.port);
    client.send(0x47);
    const { how } = await client.farewell();
    client.close();
    return how === "end";
  } catch (error) {
    // So soon.
    assert.equal((error as NodeJS.ErrnoException).code, "ECONNRESET");
    return false;
  }
}

for (const workers of [1, 2])
  test(`a pipe that nobody reads, block, ${workers} processes: in the end nobody is let in, and all is there when it is read`, async (t) => {
    let pipe: Pipe | undefined;
    const { proxy } = await proxiedRealm(t, (realm) => {
      pipe = new Pipe(realm.dir);
      return { audit: { file: pipe.path, queue: 20 }, workers, timeouts: { drain: "0s" } };
    });
    assert.ok(pipe !== undefined);
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    let served = 0;
    // The kernel holds 64 KiB.
    while (await nonsense(proxy)) served += 1;
    assert.ok(served > 20 && served < 1000, `${served} sessions`);
    await proxy.waitForLog(
      failing(/^\d+ records wait, which is the limit \(audit\.queue\): nobody is let in$/),
    );
    await proxy.waitForLog(({ msg, code }) => msg === "connection refused" && code === "AUDIT_FULL");
    const records = await pipe.readUntil("all have come", (all) => ofType(all, "session").length === served);
    assertNoHoles(records);
    await proxy.waitForLog(({ msg }) => msg === "audit trail works again");
    await passes(proxy, origin);
    proxy.signal("SIGTERM");
    const all = await pipe.readUntil("the last one", (some) => some.at(-1)?.type === "stop");
    assertNoHoles(all);
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  });

test("a pipe that nobody reads, drop: all are served, and the records say how many are missing", async (t) => {
  let pipe: Pipe | undefined;
  const { proxy } = await proxiedRealm(t, (realm) => {
    pipe = new Pipe(realm.dir);
    return { audit: { file: pipe.path, queue: 20, onFull: "drop" }, timeouts: { drain: "0s" } };
  });
  assert.ok(pipe !== undefined);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  let served = 0;
  for (let told = false; !told; told = proxy.log().some(failing(/further ones are dropped$/))) {
    assert.ok(await nonsense(proxy));
    served += 1;
  }
  for (let more = 0; more < 20; more += 1, served += 1) assert.ok(await nonsense(proxy));
  await passes(proxy, origin);
  await pipe.readUntil("the loss is told", (all) => ofType(all, "lost").length > 0);
  await proxy.waitForLog(({ msg }) => msg === "audit trail works again");
  proxy.signal("SIGTERM");
  const all = await pipe.readUntil("the last one", (some) => some.at(-1)?.type === "stop");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const [lost] = ofType(all, "lost");
  assert.ok(lost !== undefined && lost.count === lost.last - lost.first + 1);
  const missing = Array.from({ length: lost.count }, (_, index) => lost.first + index);
  // The start, the sessions, the last one's decision and end, the loss and the stop.
  const total = 1 + served + 2 + 2;
  assert.deepEqual(
    [...all.map(({ seq }) => seq), ...missing].sort((a, b) => a - b),
    Array.from({ length: total }, (_, index) => index + 1),
  );
  assert.equal(ofType(all, "stop")[0]?.dropped, lost.count);
});

for (const where of ["file", "log"] as const) {
  test(`kill -9: whoever got through has a decision in the ${where}`, async (t) => {
    let file = "";
    const { proxy } = await proxiedRealm(t, (realm) => {
      file = path.join(realm.dir, "audit");
      return { audit: where === "file" ? { file, fsync: "always" } : {}, log: { level: "info" } };
    });
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const through: string[] = [];
    const several = Array.from({ length: 6 }, async () => {
      for (;;) {
        const client = await RawClient.through(proxy, origin);
        through.push(client.address);
        client.close();
      }
    });
    const ended = Promise.allSettled(several);
    await until("some got through", () => through.length > 50);
    await delay(Math.random() * 20);
    proxy.signal("SIGKILL");
    await Promise.all([proxy.exited, ended]);
    const text = where === "file" ? readFileSync(file, "utf8") : proxy.logs();
    const records = text
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.startsWith("{") && line.includes('"v":1'))
      .map(auditRecord);
    assertNoHoles(records);
    const decided = new Set(ofType(records, "decision").map(({ client }) => client));
    assert.deepEqual(
      through.filter((client) => !decided.has(client)),
      [],
    );
    assert.ok(!records.some(({ type }) => type === "stop"));
  });
}
