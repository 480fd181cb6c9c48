// 10,000 sealed datagrams through a network that loses, doubles, reorders and replays, and their answers back through
// the same: whatever is new arrives once, however late within the window; nothing arrives twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_INITIATOR_FLAGS, GSS_C_SEQUENCE_FLAG } from "../../../src/gss/flags.js";
import { ENCTYPES } from "../../support/enctypes.js";
import { drops, Peer } from "../relay/datagram-peers.js";
import { contexts } from "../relay/established-contexts.js";
import { type Direction, Shuffler } from "./shuffler.js";
import { Inbox, udpEnds } from "./udp-ends.js";

const DATAGRAMS = 10_000;
const BATCH = 50;

function dropsOf({ counts: { duplicate, old } }: Direction): Record<string, number> {
  return { duplicate, old };
}

const SCENES = [
  { level: "confidentiality", enctype: ENCTYPES[0], flags: DEFAULT_INITIATOR_FLAGS },
  { level: "integrity", enctype: ENCTYPES[1], flags: DEFAULT_INITIATOR_FLAGS & ~GSS_C_SEQUENCE_FLAG },
] as const;

for (const [seed, { level, enctype, flags }] of SCENES.entries()) {
  const sequence = (flags & GSS_C_SEQUENCE_FLAG) === 0 ? "without" : "with";
  test(`${DATAGRAMS} datagrams, ${level}, ${enctype}, ${sequence} GSS_C_SEQUENCE_FLAG`, async (t) => {
    const establish = await contexts(t, { enctypes: [enctype] });
    const shuffler = await Shuffler.start(t, seed);
    const { association, relay } = await udpEnds(t, {
      pair: { contexts: await establish(flags), level },
      through: shuffler.endpoint,
    });
    const destination = await Peer.bind(t);
    const to = { host: "127.0.0.1", port: destination.endpoint.port };
    const inbox = new Inbox(association);
    const arrived = { up: new Set<number>(), down: new Set<number>() };

    /** Each number is new at this place. */
    const arrive = (seen: Set<number>, number: number): void => {
      assert.ok(!seen.has(number), `${number} arrived twice`);
      seen.add(number);
    };

    /** Sends numbers, has them carried, answers those that arrive, has the answers carried. */
    const exchange = async (
      numbers: readonly number[],
      carryUp: () => Promise<number>,
      carryDown: (count: number) => Promise<number>,
    ): Promise<void> => {
      for (const number of numbers) association.send(Buffer.from(`${number}`), to);
      const up = await carryUp();
      for (let count = 0; count < up; count += 1) {
        const { data, from } = await destination.next();
        arrive(arrived.up, Number(data));
        await destination.send(data, from);
      }
      for (const text of await inbox.take(await carryDown(up)))
        arrive(arrived.down, Number(text.split(" > ")[1]));
    };
    const passOne = (number: number) =>
      exchange(
        [number],
        () => shuffler.passUp(relay.bnd),
        () => shuffler.passDown(),
      );

    await passOne(-1);
    for (let first = 0; first < DATAGRAMS; first += BATCH) {
      const numbers = Array.from({ length: BATCH }, (_, index) => first + index);
      await exchange(
        numbers,
        () => shuffler.carryUp(BATCH, relay.bnd),
        (count) => shuffler.carryDown(count),
      );
    }
    // What was to be dropped nobody waited for: behind this one it has been.
    await passOne(-2);

    const { up, down } = shuffler;
    assert.equal(arrived.up.size, up.counts.new + 2);
    assert.equal(arrived.down.size, down.counts.new + 2);
    assert.deepEqual(drops(relay), dropsOf(up));
    assert.deepEqual(drops(association), dropsOf(down));
    for (const { counts } of [up, down]) {
      assert.ok(counts.new > 8500, `new: ${counts.new}`);
      for (const what of ["lost", "duplicate", "old", "late"] as const)
        assert.ok(counts[what] > 50, `${what}: ${counts[what]}`);
    }
    t.diagnostic(JSON.stringify({ up: up.counts, down: down.counts }));
  });
}
