// Each carrier where all goes well: both ways, half-close in both orders, data that was there before, backpressure.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { CLEAR } from "../../../src/relay/message-protection.js";
import { NativePump } from "../../../src/relay/native-pump.js";
import { SOCKET_OPTIONS } from "../../../src/relay/socket-options.js";
import { start } from "../../support/processes.js";
import { listen, portOf, readAll, scene, socketPair, testEach } from "./loopback.js";

const OPTIONS = {
  protection: CLEAR,
  idleTimeout: Infinity,
  totalTimeout: Infinity,
  reply: Buffer.alloc(0),
  rest: Buffer.alloc(0),
};

testEach("both ways at once, a megabyte each", async (_t, scene) => {
  const { pump, client, destination } = await scene();
  const up = randomBytes(1 << 20);
  const down = randomBytes((1 << 20) + 1);
  client.end(up);
  destination.end(down);
  const [atDestination, atClient] = await Promise.all([readAll(destination), readAll(client)]);
  assert.ok(atDestination.equals(up));
  assert.ok(atClient.equals(down));
  assert.equal(await pump.done, null);
  assert.deepEqual(plain(pump.carried), { up: up.length, down: down.length });
});

for (const first of ["client", "destination"] as const) {
  testEach(
    `half-close: the ${first} ends first, and still gets what the other has to say`,
    async (_t, scene) => {
      const sides = await scene();
      const second = first === "client" ? "destination" : "client";
      sides[first].end("question");
      assert.equal((await readAll(sides[second])).toString(), "question");
      // Only now, with one direction over, does the other carry anything.
      sides[second].end("answer");
      assert.equal((await readAll(sides[first])).toString(), "answer");
      assert.equal(await sides.pump.done, null);
    },
  );
}

testEach(
  "the reply goes to the client first, and what came behind the request to the destination",
  async (_t, scene) => {
    const rest = randomBytes(2 * SOCKET_OPTIONS.highWaterMark);
    const { pump, client, destination } = await scene({ rest, reply: Buffer.from("granted, ") });
    client.end("then this");
    destination.end("welcome");
    const received = await readAll(destination);
    assert.ok(received.equals(Buffer.concat([rest, Buffer.from("then this")])));
    assert.equal((await readAll(client)).toString(), "granted, welcome");
    assert.equal(await pump.done, null);
    // The reply is nobody's data.
    assert.deepEqual(plain(pump.carried), { up: received.length, down: "welcome".length });
  },
);

testEach("octets that Node had read from either side before", async (_t, scene) => {
  const readBefore = async ({
    ours,
    theirs,
  }: {
    ours: NodeJS.ReadableStream;
    theirs: NodeJS.WritableStream;
  }) => {
    theirs.write("early ");
    await once(ours, "readable");
  };
  const { pump, client, destination } = await scene({
    rest: Buffer.from("earliest "),
    reply: Buffer.from("reply "),
    before: async (client, destination) => {
      await Promise.all([readBefore(client), readBefore(destination)]);
      assert.deepEqual([client.ours.readableLength, destination.ours.readableLength], [6, 6]);
    },
  });
  client.end("late");
  destination.end("late");
  assert.equal((await readAll(destination)).toString(), "earliest early late");
  assert.equal((await readAll(client)).toString(), "reply early late");
  assert.equal(await pump.done, null);
  assert.deepEqual(plain(pump.carried), { up: 19, down: 10 });
});

testEach("a destination that spoke and ended before the pump began", async (_t, scene) => {
  const { pump, client } = await scene({
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
  testEach(`a ${first} whose end was read before the pump began`, async (_t, scene) => {
    const sides = await scene({
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
  testEach(`a reader that stops also stops the ${fast}, and nobody else`, async (_t, scene) => {
    const sides = await scene();
    const slow = fast === "client" ? "destination" : "client";
    const count = () => (fast === "client" ? sides.pump.carried.up : sides.pump.carried.down);
    const all = randomBytes(64 << 20);
    sides[fast].end(all);
    // In each of these round trips the carrier could have carried a piece the other way: far more than all of it.
    let back = 0;
    const answers = sides[fast].iterator({ destroyOnReturn: false });
    for (let turn = 0; turn < 1500; turn++) {
      sides[slow].write(".");
      back += ((await answers.next()).value as Buffer).length;
    }
    assert.equal(back, 1500);
    // The kernel took its buffers full, for it may have 4 MiB to send and 6 to receive; the rest waits on the fast side.
    assert.ok(count() > 0 && count() < all.length / 2, `${count()} octets were read`);
    sides[slow].end();
    assert.ok((await readAll(sides[slow])).equals(all));
    assert.ok((await answers.next()).done);
    assert.equal(await sides.pump.done, null);
  });

  test(`Pump: what is held for a reader that stops, behind a fast ${fast}, stays within the mark`, async (t) => {
    const sides = await scene(t, "Pump");
    const slow = fast === "client" ? "destination" : "client";
    const all = randomBytes(32 << 20);
    let mostHeld = 0;
    sides.inner[fast].on("data", () => {
      mostHeld = Math.max(mostHeld, sides.inner[slow].writableLength);
    });
    const paused = once(sides.inner[fast], "pause");
    sides[fast].end(all);
    sides[slow].end();
    await paused;
    assert.ok((await readAll(sides[slow])).equals(all));
    await readAll(sides[fast]);
    assert.equal(await sides.pump.done, null);
    assert.ok(mostHeld >= SOCKET_OPTIONS.highWaterMark, "the mark was reached");
    assert.ok(mostHeld <= SOCKET_OPTIONS.highWaterMark + 65_536, `${mostHeld} octets were held`);
  });
}

test("NativePump: more than the addon takes to begin with is left to Pump, and so is what had been read", async (t) => {
  const [client, destination] = await Promise.all([socketPair(t), socketPair(t)]);
  client.theirs.write("read");
  await once(client.ours, "readable");
  const options = {
    ...OPTIONS,
    client: client.ours,
    destination: destination.ours,
    rest: Buffer.alloc(1 << 20),
  };
  assert.equal(NativePump.start(options), null);
  assert.ok(!client.ours.destroyed && !destination.ours.destroyed);
  assert.equal(client.ours.readableLength, 4);
});

const URGENT = `
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.send(b"before ")
peer.send(b"!", socket.MSG_OOB)
peer.send(b"behind")
print("sent", flush=True)
peer.recv(1)`;

test("NativePump: urgent data, where a read stops, holds nothing up that is behind it", async (t) => {
  const server = await listen(t);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const peer = await start("python3", ["-c", URGENT, String(portOf(server))], { test: t });
  const [client] = await accepted;
  await peer.waitForLine(/^sent$/);
  const destination = await socketPair(t);
  const pump = NativePump.start({ ...OPTIONS, client, destination: destination.ours });
  assert.ok(pump !== null);
  const received = destination.theirs.iterator({ destroyOnReturn: false });
  let octets = "";
  // Neither an end nor anything else comes from there meanwhile. The urgent octet itself is nobody's.
  while (octets.length < 13) octets += (await received.next()).value;
  assert.equal(octets, "before behind");
  destination.theirs.end(".");
  assert.deepEqual(await peer.exited, { code: 0, signal: null });
  assert.ok((await received.next()).done);
  assert.equal(await pump.done, null);
});

function plain({ up, down }: { up: number; down: number }): { up: number; down: number } {
  return { up, down };
}
