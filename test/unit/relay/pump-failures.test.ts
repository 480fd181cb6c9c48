// The pump where one side breaks: the other must never take that for an end in good order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkError, PeerError, PolicyError } from "../../../src/errors.js";
import { ContextProtection } from "../../../src/relay/message-protection.js";
import { contexts } from "./established-contexts.js";
import { drain } from "./frames.js";
import { fate, readAll, scene } from "./loopback.js";

for (const broken of ["client", "destination"] as const) {
  test(`a reset of the ${broken} is a reset for the other side`, async (t) => {
    const sides = await scene(t);
    const other = broken === "client" ? "destination" : "client";
    const others = fate(sides[other]);
    sides[broken].resetAndDestroy();
    const error = await sides.pump.done;
    assert.ok(error instanceof NetworkError);
    assert.equal(error.code, "CONNECTION_LOST");
    assert.match(error.message, new RegExp(`the ${broken}'s connection broke: ECONNRESET`));
    assert.equal(await others, "ECONNRESET");
  });

  test(`the ${broken}'s socket destroyed under the pump is a reset for the other side`, async (t) => {
    const sides = await scene(t);
    const others = fate(sides[broken === "client" ? "destination" : "client"]);
    sides.inner[broken].destroy();
    const error = await sides.pump.done;
    assert.ok(error instanceof PeerError && error.code === "CLOSED_EARLY");
    assert.equal(await others, "ECONNRESET");
  });
}

test("aborted: both sides are reset, the first reason stays, and nothing is carried any more", async (t) => {
  const { pump, client, destination, inner } = await scene(t);
  const fates = [fate(client), fate(destination)];
  const reason = new PolicyError("TEST", "enough");
  pump.abort(reason);
  pump.abort(new PolicyError("OTHER", "again"));
  assert.equal(await pump.done, reason);
  assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
  assert.ok(inner.client.destroyed && inner.destination.destroyed);
});

test("a side that had its end already is spared the reset", async (t) => {
  const { pump, client, destination, inner } = await scene(t);
  const whole = new Promise((resolve) => inner.client.once("finish", resolve));
  destination.end("all of it");
  await whole;
  const others = fate(destination);
  pump.abort(new PolicyError("TEST", "enough"));
  assert.equal(await others, "ECONNRESET");
  assert.equal((await readAll(client)).toString(), "all of it");
  // A socket that was reset takes no more octets.
  client.on("error", () => {});
  assert.equal((await new Promise((resolve) => client.write(".", resolve))) ?? null, null);
});

test("a side whose end is just on its way is closed, too", async (t) => {
  const { pump, client, destination, inner } = await scene(t);
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

test("nothing carried for too long", async (t) => {
  const { pump, client, destination } = await scene(t, { idleTimeout: 40 });
  const fates = [fate(client), fate(destination)];
  const error = await pump.done;
  assert.ok(error instanceof NetworkError && error.code === "IDLE_TIMEOUT");
  assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
});

test("octets in either direction put the idle deadline off, but not the total one", async (t) => {
  const { pump, client, destination } = await scene(t, { idleTimeout: 1500, totalTimeout: 2000 });
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

test("the deadlines end with the pump", async (t) => {
  const { pump, client, destination } = await scene(t, { idleTimeout: 30_000, totalTimeout: 2 ** 40 });
  client.end();
  destination.end();
  await Promise.all([readAll(client), readAll(destination)]);
  assert.equal(await pump.done, null);
  assert.ok(!process.getActiveResourcesInfo().includes("Timeout"));
});

test("a sealed stream that is tampered with, or cut short, is no end for the destination", async (t) => {
  const establish = await contexts(t);
  const table: [code: string, spoil: (frame: Buffer) => Buffer][] = [
    ["BAD_TOKEN", (frame) => frame.fill((frame.at(-1) ?? 0) ^ 1, frame.length - 1)],
    ["TRUNCATED", (frame) => frame.subarray(0, -1)],
    ["ABORTED", () => Buffer.of(0x01, 0xff)],
  ];
  for (const [code, spoil] of table) {
    const { initiator, acceptor } = await establish();
    const protection = new ContextProtection(acceptor, "confidentiality");
    const { pump, client, destination } = await scene(t, { protection });
    const others = fate(destination);
    const peer = new ContextProtection(initiator, "confidentiality");
    client.on("error", () => {});
    client.end(spoil(drain(peer.seal(Buffer.from("half of it")))));
    const error = await pump.done;
    assert.ok(error instanceof PeerError);
    assert.equal(error.code, code);
    assert.equal(await others, "ECONNRESET");
    assert.equal(pump.carried.up, 0);
  }
});
