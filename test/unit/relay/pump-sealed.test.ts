// Each carrier under a security context: sealed on the client's side, plain on the other, counted as plain octets. With
// both families of AES enctypes, and with frames that arrive in every way that TCP may deliver them.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { PolicyError } from "../../../src/errors.js";
import type { RelayCarried } from "../../../src/gss/native-relay.js";
import type { SecurityContext } from "../../../src/gss/security-context.js";
import { ContextProtection } from "../../../src/relay/message-protection.js";
import { ENCTYPES } from "../../support/enctypes.js";
import { contexts } from "./established-contexts.js";
import { drain, framesOf, openIn } from "./frames.js";
import { CARRIERS, readAll, type Scene, type SceneOptions, scene } from "./loopback.js";
import { ENGINES, type Level, protect } from "./protections.js";

interface Sealed {
  level: Level;
  /** The client's own end of the context, and its protection. */
  initiator: SecurityContext;
  peer: ContextProtection;
  protection: ContextProtection;
  make(options?: SceneOptions): Promise<Scene>;
}

/** Runs `body` for each enctype with each carrier, engine and level. */
function testSealed(name: string, levels: readonly Level[], body: (sealed: Sealed) => Promise<void>): void {
  for (const enctype of ENCTYPES) {
    test(`${name} (${enctype})`, async (t) => {
      const establish = await contexts(t, { enctypes: [enctype] });
      for (const carrier of CARRIERS) {
        for (const engine of ENGINES) {
          if (carrier === "NativePump" && engine === "library") continue;
          for (const level of levels) {
            const { initiator, acceptor } = await establish();
            const peer = new ContextProtection(initiator, level);
            const protection = protect(acceptor, level, engine);
            const make = (options: SceneOptions = {}) => scene(t, carrier, { ...options, protection });
            const way = `${carrier}, ${engine}, ${level}`;
            await t.test(way, () => body({ level, initiator, peer, protection, make }));
          }
        }
      }
    });
  }
}

const LEVELS = ["integrity", "confidentiality", "selective"] as const;

/** Both sides have ended in good order, with these octets, each counted once. */
async function assertCarried(
  { peer, protection }: Sealed,
  { pump, client, destination }: Scene,
  up: Buffer,
  down: Buffer,
): Promise<void> {
  const [atDestination, atClient] = await Promise.all([readAll(destination), readAll(client)]);
  assert.ok(atDestination.equals(up));
  assert.ok(openIn(peer, atClient, [atClient.length]).equals(down));
  assert.equal(await pump.done, null);
  assert.deepEqual([pump.carried.up, pump.carried.down], [up.length, down.length]);
  assert.equal(protection.counters.sealed, atClient.length);
}

testSealed("both ways at once", LEVELS, async (sealed) => {
  const scene = await sealed.make();
  const up = randomBytes(300_000);
  const down = randomBytes(300_001);
  scene.client.end(drain(sealed.peer.seal(up)));
  scene.destination.end(down);
  await assertCarried(sealed, scene, up, down);
  assert.equal(sealed.protection.counters.opened, sealed.peer.counters.sealed);
});

testSealed("tokens of every size, from an empty message to the largest", LEVELS, async (sealed) => {
  const { level, initiator, protection } = sealed;
  const conf = level !== "integrity";
  const largest = initiator.wrapSizeLimit(conf, 0xffff);
  const sizes = [0, 1, 0, 0, 15, 16, 17, 31, 32, 33, 4095, 4096, 4097, 65_000, largest - 1, largest, 0];
  const messages = sizes.map((size) => randomBytes(size));
  const frames = messages.map((message) => {
    const token = initiator.wrap(message, conf);
    return Buffer.concat([Buffer.of(1, 3, token.length >> 8, token.length & 0xff), token]);
  });
  assert.ok(frames.some((frame) => frame.length > 0xffff - 16));
  const scene = await sealed.make();
  scene.client.end(Buffer.concat(frames));
  scene.destination.end();
  await assertCarried(sealed, scene, Buffer.concat(messages), Buffer.alloc(0));
  assert.equal(protection.counters.opened, Buffer.concat(frames).length);
});

testSealed("a stream that arrives octet by octet", ["confidentiality"], async (sealed) => {
  const { peer, protection } = sealed;
  const scene = await sealed.make();
  const messages = ["first", "", "second, longer than a block of AES"].map((each) => Buffer.from(each));
  const stream = Buffer.concat(messages.map((each) => drain(peer.seal(each))));
  const { pump } = scene;
  const arrived = () => (pump.carried as Partial<RelayCarried>).sealedUp ?? protection.counters.opened;
  scene.client.setNoDelay(true);
  for (const [at, octet] of stream.entries()) {
    scene.client.write(Buffer.of(octet));
    while (arrived() <= at) await setImmediate();
  }
  scene.client.end();
  scene.destination.end("answer");
  await assertCarried(sealed, scene, Buffer.concat(messages), Buffer.from("answer"));
});

// Inside the header, behind it, and all but one octet.
for (const begun of [1, 3, 4, -1]) {
  const name = `a frame begun before (${begun}), then octets that Node had read, then the rest`;
  testSealed(name, ["confidentiality"], async (sealed) => {
    const { peer, protection } = sealed;
    const up = randomBytes(100_000);
    const stream = drain(peer.seal(up));
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = framesOf(stream);
    const opened = begun < 0 ? first.length + begun : begun;
    const read = first.length + second.length - 7;
    assert.equal(drain(protection.open(Buffer.from(stream.subarray(0, opened)))).length, 0);
    const scene = await sealed.make({
      before: async (client, destination) => {
        client.theirs.write(stream.subarray(opened, read));
        destination.theirs.write("spoke ");
        const whole = once(client.ours, "readable");
        await Promise.all([whole, once(destination.ours, "readable")]);
        while (client.ours.readableLength < read - opened) await setImmediate();
      },
    });
    scene.client.end(stream.subarray(read));
    scene.destination.end("first");
    await assertCarried(sealed, scene, up, Buffer.from("spoke first"));
    assert.equal(protection.counters.opened, stream.length);
  });
}

testSealed("a client that never reads stops the destination", ["confidentiality"], async (sealed) => {
  const { peer } = sealed;
  const { pump, client, destination } = await sealed.make();
  destination.end(Buffer.alloc(64 << 20));
  // In each of these round trips a piece could have been carried the other way: far more than all of it.
  const received = destination.iterator({ destroyOnReturn: false });
  for (let turn = 0; turn < 1500; turn++) {
    client.write(drain(peer.seal(Buffer.of(turn & 0xff))));
    assert.deepEqual((await received.next()).value, Buffer.of(turn & 0xff));
  }
  assert.ok(pump.carried.down > 0 && pump.carried.down < 32 << 20, `${pump.carried.down} octets were read`);
  pump.abort(new PolicyError("TEST", "enough"));
  assert.ok((await pump.done) instanceof PolicyError);
  assert.equal(pump.carried.up, 1500);
});
