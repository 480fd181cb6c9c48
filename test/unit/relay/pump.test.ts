// The pump where all goes well: both ways, half-close in both orders, data that was there before, backpressure, sealing.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { ContextProtection } from "../../../src/relay/message-protection.js";
import { SOCKET_OPTIONS } from "../../../src/relay/socket-options.js";
import { contexts } from "./established-contexts.js";
import { drain, openIn } from "./frames.js";
import { readAll, scene } from "./loopback.js";

test("both ways at once, a megabyte each", async (t) => {
  const { pump, client, destination } = await scene(t);
  const up = randomBytes(1 << 20);
  const down = randomBytes((1 << 20) + 1);
  client.end(up);
  destination.end(down);
  const [atDestination, atClient] = await Promise.all([readAll(destination), readAll(client)]);
  assert.ok(atDestination.equals(up));
  assert.ok(atClient.equals(down));
  assert.equal(await pump.done, null);
  assert.deepEqual(pump.carried, { up: up.length, down: down.length });
});

for (const first of ["client", "destination"] as const) {
  test(`half-close: the ${first} ends first, and still gets what the other has to say`, async (t) => {
    const sides = await scene(t);
    const second = first === "client" ? "destination" : "client";
    sides[first].end("question");
    assert.equal((await readAll(sides[second])).toString(), "question");
    // Only now, with one direction over, does the other carry anything.
    sides[second].end("answer");
    assert.equal((await readAll(sides[first])).toString(), "answer");
    assert.equal(await sides.pump.done, null);
  });
}

test("data that came behind the request goes first", async (t) => {
  const rest = randomBytes(3 * SOCKET_OPTIONS.highWaterMark);
  const { pump, client, destination } = await scene(t, { rest });
  client.end("then this");
  destination.end();
  const received = await readAll(destination);
  assert.ok(received.equals(Buffer.concat([rest, Buffer.from("then this")])));
  await readAll(client);
  assert.equal(await pump.done, null);
  assert.equal(pump.carried.up, received.length);
});

test("a destination that spoke and ended before the pump began", async (t) => {
  const { pump, client } = await scene(t, {
    before: async (_client, { theirs }) => {
      theirs.end("banner");
      await once(theirs, "finish");
    },
  });
  assert.equal((await readAll(client)).toString(), "banner");
  client.end();
  assert.equal(await pump.done, null);
});

for (const first of ["client", "destination"] as const) {
  test(`a ${first} whose end was read before the pump began`, async (t) => {
    const sides = await scene(t, {
      before: async (client, destination) => {
        const { ours, theirs } = first === "client" ? client : destination;
        theirs.end();
        ours.resume();
        await once(ours, "end");
      },
    });
    const second = first === "client" ? "destination" : "client";
    assert.equal((await readAll(sides[second])).length, 0);
    sides[second].end("still here");
    assert.equal((await readAll(sides[first])).toString(), "still here");
    assert.equal(await sides.pump.done, null);
  });
}

for (const fast of ["client", "destination"] as const) {
  test(`a reader that stops also stops the ${fast}: what is held stays bounded`, async (t) => {
    const sides = await scene(t);
    const slow = fast === "client" ? "destination" : "client";
    const count = () => (fast === "client" ? sides.pump.carried.up : sides.pump.carried.down);
    const all = randomBytes(32 << 20);
    let mostHeld = 0;
    let everything: () => void = () => {};
    const passed = new Promise<void>((resolve) => {
      everything = resolve;
    });
    sides.inner[fast].on("data", () => {
      mostHeld = Math.max(mostHeld, sides.inner[slow].writableLength);
      if (count() === all.length) everything();
    });
    const paused = once(sides.inner[fast], "pause");
    sides[fast].end(all);
    sides[slow].end();
    await Promise.race([paused, passed]);
    // The kernel took its buffers full; the rest waits on the fast side.
    assert.ok(sides.inner[fast].isPaused());
    assert.ok(count() < all.length, `${count()} octets were read`);
    assert.ok((await readAll(sides[slow])).equals(all));
    await readAll(sides[fast]);
    assert.equal(await sides.pump.done, null);
    assert.ok(mostHeld >= SOCKET_OPTIONS.highWaterMark, "the mark was reached");
    assert.ok(mostHeld <= SOCKET_OPTIONS.highWaterMark + 65_536, `${mostHeld} octets were held`);
  });
}

test("sealed on the client's side, plain on the other, and counted as plain octets", async (t) => {
  const { initiator, acceptor } = await (await contexts(t))();
  const peer = new ContextProtection(initiator, "confidentiality");
  const protection = new ContextProtection(acceptor, "confidentiality");
  const { pump, client, destination } = await scene(t, { protection });
  const up = randomBytes(300_000);
  const down = randomBytes(300_001);
  client.end(drain(peer.seal(up)));
  destination.end(down);
  const [atDestination, atClient] = await Promise.all([readAll(destination), readAll(client)]);
  assert.ok(atDestination.equals(up));
  assert.ok(openIn(peer, atClient, [atClient.length]).equals(down));
  assert.equal(await pump.done, null);
  assert.deepEqual(pump.carried, { up: up.length, down: down.length });
  assert.deepEqual(protection.counters, { opened: peer.counters.sealed, sealed: atClient.length });
});
