/** The addon's relays: by the raw calls what they refuse; in several environments; many at once, ended in every way. */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { after, before, type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { MOST_HELD, native } from "../../src/gss/native.js";
import { run } from "../support/processes.js";
import { Realm } from "../support/realm.js";
import { fate, readAll, socketPair } from "../unit/relay/loopback.js";
import { descriptor, establishHere, join, joined } from "./relay-sockets.js";

/** GSSOCKS_RELAY_ROUNDS=N makes N short relays. */
const ROUNDS = Number(process.env.GSSOCKS_RELAY_ROUNDS ?? 2000);
const NOTHING = Buffer.alloc(0);

let realm: Realm;
before(async () => {
  realm = await Realm.start();
  realm.enter(await realm.kinit("alice"));
});
after(() => realm.stop());

type StartRelay = Parameters<typeof native.startRelay>;

test("wrong arguments, and descriptors that no relay can use", async (t) => {
  // Opens them.
  const { relay } = await joined(t);
  relay.abort();
  await relay.done;
  const { ours } = await socketPair(t);
  const fd = descriptor(ours);
  const good: StartRelay = [fd, fd, null, true, true, NOTHING, NOTHING, NOTHING, NOTHING, fd, [], []];
  const bad = (values: object) => Object.assign([...good], values) as StartRelay;
  const long = Buffer.alloc(MOST_HELD + 1);
  const rate = native.newRate(1000, null);
  const table: [at: number, value: unknown, error: object][] = [
    [0, "1", TypeError],
    [0, -1, RangeError],
    [0, 2 ** 31, RangeError],
    [1, undefined, TypeError],
    [1, 1.5, RangeError],
    [2, {}, { code: "ERR_GSSOCKS_HANDLE" }],
    [2, rate, { code: "ERR_GSSOCKS_HANDLE" }],
    [3, 1, TypeError],
    [4, null, TypeError],
    ...[5, 6, 7, 8].flatMap((at): [number, unknown, object][] => [
      [at, "text", TypeError],
      [at, new Uint8Array(new SharedArrayBuffer(1)), TypeError],
      [at, long, { code: "ERR_OUT_OF_RANGE" }],
    ]),
    [9, -1, RangeError],
    [10, null, TypeError],
    [11, [null], { code: "ERR_GSSOCKS_HANDLE" }],
  ];
  for (const [at, value, error] of table) {
    assert.throws(() => native.startRelay(...bad({ [at]: value })), error, `argument ${at}`);
  }
  assert.throws(() => native.openRelays?.(1, () => {}), /are open/);
  assert.throws(() => native.openRelays?.(65, () => {}), RangeError);
  assert.throws(() => native.openRelays?.(1, null as never), TypeError);
  for (const id of [0, 2 ** 32 - 1]) {
    assert.equal(native.relayCounts(id), null);
    native.abortRelay(id);
  }
  for (const id of [-1, 2 ** 32, 0.5]) {
    assert.throws(() => native.relayCounts(id), RangeError);
    assert.throws(() => native.abortRelay(id), RangeError);
  }
  assert.throws(() => native.abortRelay("1" as never), TypeError);
  // Not open: nothing was done.
  const none = 2 ** 31 - 1;
  for (const values of [{ 0: none }, { 1: none, 9: none }, { 9: none }])
    assert.equal(native.startRelay(...bad(values)), 0);
});

for (const side of ["client", "destination"] as const) {
  test(`a ${side} that can't be read breaks the relay`, async (t) => {
    const directory = openSync("/", "r");
    t.after(() => closeSync(directory));
    const good = await socketPair(t);
    const fake = { ours: { _handle: { fd: directory }, destroy() {} } as never, theirs: good.theirs };
    const { relay } = side === "client" ? join(fake, good) : join(good, fake);
    const other = fate(good.theirs);
    const outcome = await relay.done;
    assert.deepEqual([outcome.end, outcome.side, outcome.detail], ["broken", side, constants.errno.EISDIR]);
    assert.equal(await other, "ECONNRESET");
  });
}

test("what was counted stays when a relay has ended; to abort it then is nothing", async (t) => {
  const { relay, client, destination } = await joined(t);
  client.end("question");
  destination.end("answer!");
  await Promise.all([readAll(client), readAll(destination)]);
  assert.equal((await relay.done).end, "ended");
  relay.abort();
  assert.deepEqual([relay.carried.up, relay.carried.down], [8, 7]);
});

test("a context that is a relay's is nobody else's any more", async (t) => {
  const { initiator, acceptor } = await establishHere();
  const { handle } = acceptor;
  const protection = { context: acceptor, conf: true, confRequired: true };
  const { relay, client, destination } = await joined(t, protection);
  const output = Buffer.alloc(100);
  const busy = { code: "ERR_GSSOCKS_BUSY" };
  assert.throws(() => native.sealFrames(handle, true, Buffer.of(1), 0, 1, output, 0, 100), busy);
  assert.throws(() => native.openFrames(handle, true, output, 0, 100, new Int32Array(5)), busy);
  await assert.rejects(joined(t, protection), busy);
  acceptor.close();
  await assert.rejects(joined(t, protection), { code: "ERR_GSSOCKS_CLOSED" });
  // The relay goes on.
  const frame = Buffer.alloc(1000);
  client.end(frame.subarray(0, initiator.seal(true, Buffer.from("sealed"), 0, 6, frame)));
  assert.equal((await readAll(destination)).toString(), "sealed");
  destination.end("back");
  const back = await readAll(client);
  const { offset, length } = initiator.open(true, back, 0, back.length);
  assert.equal(back.subarray(offset, offset + length).toString(), "back");
  assert.equal((await relay.done).end, "ended");
});

test("nothing that JavaScript holds is needed while relays run", async (t) => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const start = async () => {
    const { initiator, acceptor } = await establishHere();
    const protection = { context: acceptor, conf: true, confRequired: true };
    const { client, destination } = await joined(t, protection);
    return { initiator, client, destination };
  };
  const ends = await Promise.all(Array.from({ length: 50 }, start));
  for (let round = 0; round < 5; round++) {
    gc();
    await setImmediate();
  }
  const message = randomBytes(40_000);
  for (const { initiator, client, destination } of ends) {
    const frames = Buffer.alloc(50_000);
    client.end(frames.subarray(0, initiator.seal(true, message, 0, message.length, frames)));
    gc();
    destination.end(message);
    assert.ok((await readAll(destination)).equals(message));
    const back = await readAll(client);
    const { offset, length } = initiator.open(true, back, 0, back.length);
    assert.ok(back.subarray(offset, offset + length).equals(message));
  }
});

interface WorkerRelays {
  worker: Worker;
  start(t: TestContext): Promise<{ client: Socket; destination: Socket }>;
}

function workerRelays(): WorkerRelays {
  const worker = new Worker(new URL("relay-worker.js", import.meta.url));
  return {
    worker,
    async start(t) {
      const [client, destination] = await Promise.all([socketPair(t), socketPair(t)]);
      worker.postMessage({ client: descriptor(client.ours), destination: descriptor(destination.ours) });
      assert.deepEqual(await once(worker, "message"), ["started"]);
      client.ours.destroy();
      destination.ours.destroy();
      return { client: client.theirs, destination: destination.theirs };
    },
  };
}

test("relays of several workers side by side", async (t) => {
  const workers = Array.from({ length: 4 }, workerRelays);
  const up = randomBytes(3_000_000);
  const down = randomBytes(2_000_000);
  await Promise.all(
    workers.map(async ({ worker, start }) => {
      for (let i = 0; i < 3; i++) {
        const { client, destination } = await start(t);
        const outcome = once(worker, "message");
        client.end(up);
        destination.end(down);
        const [atDestination, atClient] = await Promise.all([readAll(destination), readAll(client)]);
        assert.ok(atDestination.equals(up) && atClient.equals(down));
        assert.deepEqual(await outcome, [{ end: "ended", up: up.length, down: down.length }]);
      }
      worker.postMessage("close");
      assert.deepEqual(await once(worker, "exit"), [0]);
    }),
  );
});

test("workers that are terminated while their relays run and end", async (t) => {
  for (let round = 0; round < 4; round++) {
    const workers = Array.from({ length: 3 }, workerRelays);
    const fates: Promise<string>[] = [];
    for (const { start } of workers) {
      const idle = await start(t);
      fates.push(fate(idle.client), fate(idle.destination));
      const busy = await start(t);
      busy.client.on("error", () => {}).end(Buffer.alloc(32 << 20));
      busy.destination.on("error", () => {}).resume();
      const ending = await start(t);
      ending.client.on("error", () => {}).end("ending");
      ending.destination.on("error", () => {}).end("ending");
    }
    for (const { worker } of workers) assert.equal(await worker.terminate(), 1);
    for (const each of await Promise.all(fates)) assert.equal(each, "ECONNRESET");
  }
  const { relay, client, destination } = await joined(t);
  client.end();
  destination.end();
  await Promise.all([readAll(client), readAll(destination)]);
  assert.equal((await relay.done).end, "ended");
});

test("thousands, cut off or ended from both ends in any order, while processes are forked", async (t) => {
  // Of some so many that they go over to another thread meanwhile.
  const octets = randomBytes(4 << 20);
  const some = () => octets.subarray(0, randomInt(3) === 0 ? randomInt(octets.length) : randomInt(100));
  const outcomes = new Map<string, number>();
  const one = async (sealed: boolean) => {
    const protection = sealed
      ? { context: (await establishHere()).acceptor, conf: true, confRequired: false }
      : null;
    const { relay, client, destination } = await joined(t, protection);
    const ways = [
      () => client.destroy(),
      () => reset(client),
      () => client.end(),
      () => client.write(some()),
      () => destination.destroy(),
      () => reset(destination),
      () => destination.end(),
      () => destination.write(some()),
      () => relay.abort(),
      () => [client.end(), destination.end()],
    ];
    for (const side of [client, destination]) side.on("error", () => {}).resume();
    for (let turn = randomInt(4); turn >= 0; turn--) {
      ways[randomInt(ways.length)]?.();
      if (randomInt(2) === 0) await setImmediate();
    }
    // Whatever is left of it ends now.
    const last = randomInt(3);
    if (last === 0) relay.abort();
    if (last === 1) for (const side of [client, destination]) side.destroy();
    if (last === 2) for (const side of [client, destination]) side.destroySoon();
    const { end } = await relay.done;
    outcomes.set(end, (outcomes.get(end) ?? 0) + 1);
    client.destroy();
    destination.destroy();
  };
  // With the threads' own.
  const first = await joined(t);
  first.relay.abort();
  await first.relay.done;
  const before = descriptors();
  let left = ROUNDS;
  let forking = true;
  const forks = (async () => {
    while (forking) await run("true");
  })();
  const lane = async () => {
    while (left-- > 0) await one(left % 10 === 0);
  };
  await Promise.all(Array.from({ length: 32 }, lane));
  forking = false;
  await forks;
  assert.deepEqual([...outcomes.keys()].sort(), ["aborted", "bad-frame", "broken", "ended"]);
  // No descriptor of theirs is left.
  while (descriptors() > before) await setImmediate();
});

/** Node leaves a socket that it is to reset behind its end to itself, open. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
