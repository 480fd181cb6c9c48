// Each carrier where one side breaks: the other must never take that for an end in good order.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { NetworkError, PeerError, PolicyError } from "../../../src/errors.js";
import { ContextProtection } from "../../../src/relay/message-protection.js";
import { contexts } from "./established-contexts.js";
import { drain } from "./frames.js";
import { CARRIERS, CLOSE_WAIT, fate, inState, readAll, scene, testEach } from "./loopback.js";
import { protect } from "./protections.js";

for (const broken of ["client", "destination"] as const) {
  testEach(`a reset of the ${broken} is a reset for the other side`, async (_t, scene) => {
    const sides = await scene();
    const other = broken === "client" ? "destination" : "client";
    const others = fate(sides[other]);
    sides[broken].resetAndDestroy();
    const error = await sides.pump.done;
    assert.ok(error instanceof NetworkError);
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, new RegExp(`the ${broken}'s connection broke: ECONNRESET`));
    assert.equal(await others, "ECONNRESET");
  });

  test(`Pump: the ${broken}'s socket destroyed under the pump is a reset for the other side`, async (t) => {
    const sides = await scene(t, "Pump");
    const others = fate(sides[broken === "client" ? "destination" : "client"]);
    sides.inner[broken].destroy();
    const error = await sides.pump.done;
    assert.ok(error instanceof PeerError && error.code === "CLOSED_EARLY");
    assert.equal(await others, "ECONNRESET");
  });
}

testEach(
  "aborted: both sides are reset, the first reason stays, and nothing is carried any more",
  async (_t, scene) => {
    const { pump, client, destination, inner } = await scene();
    const fates = [fate(client), fate(destination)];
    const reason = new PolicyError("TEST", "enough");
    pump.abort(reason);
    pump.abort(new PolicyError("OTHER", "again"));
    assert.equal(await pump.done, reason);
    assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
    assert.ok(inner.client.destroyed && inner.destination.destroyed);
  },
);

testEach("a side that had its end already is spared the reset", async (_t, scene) => {
  const { pump, client, destination } = await scene();
  destination.end("all of it");
  // It stays in the client's kernel.
  await inState(client, CLOSE_WAIT);
  const others = fate(destination);
  pump.abort(new PolicyError("TEST", "enough"));
  assert.equal(await others, "ECONNRESET");
  assert.equal((await readAll(client)).toString(), "all of it");
  // A socket that was reset takes no more octets.
  client.on("error", () => {});
  assert.equal((await new Promise((resolve) => client.write(".", resolve))) ?? null, null);
});

test("Pump: a side whose end is just on its way is closed, too", async (t) => {
  const { pump, client, destination, inner } = await scene(t, "Pump");
  // The pump ends the client's side in the same turn, and has no answer to that from the kernel yet.
  const ended = new Promise<void>((resolve) => inner.destination.once("end", resolve));
  const closed = new Promise<void>((resolve) => inner.client.once("close", () => resolve()));
  destination.end("all of it");
  await ended;
  assert.ok(inner.client.writableEnded && !inner.client.writableFinished);
  pump.abort(new PolicyError("TEST", "enough"));
  await closed;
  assert.equal((await readAll(client)).toString(), "all of it");
});

testEach("nothing carried for too long", async (_t, scene) => {
  const { pump, client, destination } = await scene({ idleTimeout: 40 });
  const fates = [fate(client), fate(destination)];
  const error = await pump.done;
  assert.ok(error instanceof NetworkError && error.code === "IDLE_TIMEOUT");
  assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
});

testEach("octets in either direction put the idle deadline off, but not the total one", async (t, scene) => {
  const { pump, client, destination } = await scene({ idleTimeout: 1500, totalTimeout: 2000 });
  const fates = [fate(client), fate(destination)];
  let turn = 0;
  const ticking = setInterval(() => {
    turn += 1;
    (turn % 2 === 0 ? client : destination).write(".");
  }, 50);
  t.after(() => clearInterval(ticking));
  const error = await pump.done;
  assert.ok(error instanceof NetworkError && error.code === "TOTAL_TIMEOUT");
  assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
});

testEach("the deadlines end with the pump", async (_t, scene) => {
  const { pump, client, destination } = await scene({ idleTimeout: 30_000, totalTimeout: 2 ** 40 });
  client.end();
  destination.end();
  await Promise.all([readAll(client), readAll(destination)]);
  assert.equal(await pump.done, null);
  assert.ok(!process.getActiveResourcesInfo().includes("Timeout"));
});

const BIT = 1;

/** What a client may do wrong: the error's code, and what it sends instead of three sealed messages. */
const SPOILT: readonly [
  code: string,
  spoil: (frames: [Buffer, Buffer, Buffer], plain: Buffer) => Buffer[],
][] = [
  ["BAD_TOKEN", ([frame]) => [frame.fill((frame.at(-1) ?? 0) ^ BIT, frame.length - 1)]],
  ["BAD_TOKEN", ([frame]) => [Buffer.of(1, 3, 0, 0), frame]],
  ["TRUNCATED", ([frame]) => [frame.subarray(0, -1)]],
  ["TRUNCATED", ([frame]) => [frame.subarray(0, 1)]],
  ["ABORTED", () => [Buffer.of(0x01, 0xff)]],
  ["ABORTED", ([frame]) => [frame, Buffer.of(0x01, 0xff)]],
  ["BAD_VERSION", () => [Buffer.of(0x05)]],
  ["BAD_VERSION", () => [Buffer.of(0x47, 0x45)]],
  ["UNEXPECTED_MESSAGE", () => [Buffer.of(0x01, 0x02)]],
  ["NOT_CONFIDENTIAL", (_frames, plain) => [plain]],
  ["REPLAYED_TOKEN", ([first]) => [first, first]],
  ["MISSING_TOKEN", ([first, , third]) => [first, third]],
];

test("a sealed stream that is tampered with, or cut short, is no end for the destination", async (t) => {
  const establish = await contexts(t);
  for (const [index, [code, spoil]] of SPOILT.entries()) {
    const told: string[] = [];
    for (const carrier of CARRIERS) {
      const { initiator, acceptor } = await establish();
      const protection = protect(acceptor, "confidentiality", "fast");
      const { pump, client, destination } = await scene(t, carrier, { protection });
      const others = fate(destination);
      const peer = new ContextProtection(initiator, "confidentiality");
      const integrity = new ContextProtection(initiator, "integrity");
      const seal = (by: ContextProtection) => drain(by.seal(Buffer.from("half of it")));
      const plain = code === "NOT_CONFIDENTIAL" ? seal(integrity) : Buffer.alloc(0);
      client.on("error", () => {});
      client.end(Buffer.concat(spoil([seal(peer), seal(peer), seal(peer)], plain)));
      const error = await pump.done;
      assert.ok(error instanceof PeerError, `${carrier}, ${index}`);
      assert.equal(error.code, code);
      assert.equal(await others, "ECONNRESET", `${carrier}, ${index}`);
      assert.equal(pump.carried.up, 0, `${carrier}, ${index}`);
      told.push(error.message);
    }
    assert.equal(told[0], told[1]);
  }
});

testEach("a sealed stream cut short behind whole frames, which are carried", async (t, scene) => {
  const { initiator, acceptor } = await (await contexts(t))();
  const protection = protect(acceptor, "confidentiality", "fast");
  const { pump, client, destination } = await scene({ protection });
  const peer = new ContextProtection(initiator, "confidentiality");
  client.on("error", () => {});
  client.write(drain(peer.seal(Buffer.from("half of it"))));
  // Node takes a reset that it finds together with data for an end.
  assert.equal((await once(destination.resume(), "data")).toString(), "half of it");
  const others = fate(destination);
  client.end(drain(peer.seal(Buffer.from("the rest"))).subarray(0, -1));
  assert.equal((await pump.done)?.code, "TRUNCATED");
  assert.equal(await others, "ECONNRESET");
  assert.equal(pump.carried.up, 10);
});
