// RFC 1961 §5 for datagrams, with real contexts: what is opened, and what the library says of tokens that were lost,
// doubled or reordered, which with GSS_C_SEQUENCE_FLAG is not enough to go by.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  DEFAULT_INITIATOR_FLAGS,
  describeSupplementary,
  GSS_C_REPLAY_FLAG,
  GSS_C_SEQUENCE_FLAG,
} from "../../../src/gss/flags.js";
import {
  CLEAR_DATAGRAMS,
  ContextDatagramProtection,
  type DatagramProtection,
  MAX_DATAGRAM,
} from "../../../src/relay/datagram-protection.js";
import { ENCTYPES } from "../../support/enctypes.js";
import { contexts, type Pair } from "./established-contexts.js";

const WITHOUT_SEQUENCE = DEFAULT_INITIATOR_FLAGS & ~GSS_C_SEQUENCE_FLAG;
const NEITHER = WITHOUT_SEQUENCE & ~GSS_C_REPLAY_FLAG;
const LEVELS = ["integrity", "confidentiality"] as const;

function ends({ initiator, acceptor }: Pair, level: (typeof LEVELS)[number]) {
  return {
    client: new ContextDatagramProtection(initiator, level),
    server: new ContextDatagramProtection(acceptor, level),
  };
}

function sealed(protection: DatagramProtection, text: string): Buffer {
  const datagram = protection.seal(Buffer.from(text));
  assert.ok(Buffer.isBuffer(datagram), String(datagram));
  return datagram;
}

/** Opens a copy: opening is in place, and tests send the same datagram twice. */
function open(protection: DatagramProtection, datagram: Buffer): string {
  const opened = protection.open(Buffer.from(datagram));
  return typeof opened === "string" ? `dropped: ${opened}` : opened.toString();
}

for (const enctype of ENCTYPES) {
  test(enctype, async (t) => {
    const establish = await contexts(t, { enctypes: [enctype] });

    for (const level of LEVELS) {
      await t.test(`level ${level}`, async () => {
        const { client, server } = ends(await establish(WITHOUT_SEQUENCE), level);
        for (const text of ["", "a", "datagram", "x".repeat(1400), "y".repeat(60_000)]) {
          const up = sealed(client, text);
          assert.equal(up.readUInt16BE(0), 0x0103);
          assert.equal(up.readUInt16BE(2), up.length - 4, "len is all that is left");
          if (text.length > 1) assert.equal(up.includes(text), level === "integrity");
          assert.equal(open(server, up), text);
          assert.equal(open(client, sealed(server, text)), text);
        }
        assert.deepEqual(client.counters, { sealed: server.counters.opened, opened: server.counters.sealed });
      });

      await t.test(`level ${level}: the largest datagram`, async () => {
        const { client, server } = ends(await establish(), level);
        let largest = MAX_DATAGRAM;
        while (client.seal(Buffer.alloc(largest)) === "too-large") largest -= 1;
        const datagram = sealed(client, "z".repeat(largest));
        assert.ok(
          datagram.length <= MAX_DATAGRAM && datagram.length > MAX_DATAGRAM - 32,
          String(datagram.length),
        );
        assert.equal(open(server, datagram), "z".repeat(largest));
      });

      await t.test(`level ${level}: what is no frame, or was changed`, async () => {
        const { client, server } = ends(await establish(), level);
        // RRC is in no checksum (RFC 4121 §4.2.5): a length that 256 is no multiple of, so that each of its bits matters.
        const good = sealed(client, "whole");
        for (let at = 0; at < good.length; at += 1) {
          const bad = Buffer.from(good);
          bad.writeUInt8(bad.readUInt8(at) ^ 0x01, at);
          assert.equal(open(server, bad), `dropped: ${at < 4 ? "malformed" : "bad-token"}`, `octet ${at}`);
        }
        for (let length = 0; length < good.length; length += 1)
          assert.equal(open(server, good.subarray(0, length)), "dropped: malformed");
        assert.equal(open(server, Buffer.concat([good, Buffer.of(0)])), "dropped: malformed");
        assert.equal(open(server, Buffer.concat([good, good])), "dropped: malformed");
        // A plain datagram is not taken because it is well formed.
        assert.equal(open(server, Buffer.from("000000017f000001003561", "hex")), "dropped: malformed");
        assert.equal(open(server, sealed(server, "our own")), "dropped: bad-token");
        const other = ends(await establish(), level);
        assert.equal(open(server, sealed(other.client, "other context")), "dropped: bad-token");
        assert.equal(open(server, good), "whole", "none of that has cost the good one");
      });
    }

    await t.test("integrity only, under level confidentiality", async () => {
      const { initiator, acceptor } = await establish();
      const server = new ContextDatagramProtection(acceptor, "confidentiality");
      const weak = sealed(new ContextDatagramProtection(initiator, "integrity"), "weak");
      assert.equal(open(server, weak), "dropped: not-confidential");
    });

    await t.test("property: octets from anybody are dropped, and never an error", async () => {
      const { server } = ends(await establish(), "confidentiality");
      const header = fc.constantFrom(
        Buffer.alloc(0),
        Buffer.from([1, 3]),
        Buffer.from([1, 3, 0, 60, 5, 4, 6, 255]),
      );
      fc.assert(
        fc.property(header, fc.uint8Array({ maxLength: 80 }), (head, tail) => {
          const framed = Buffer.concat([head, tail]);
          if (framed.length >= 4) framed.writeUInt16BE(framed.length - 4, 2);
          assert.match(open(server, framed), /^dropped: (malformed|bad-token)$/);
        }),
      );
    });
  });
}

test("what the library says of each order, and what we make of it", async (t) => {
  const establish = await contexts(t);

  /** For each token, in the order given: the library's word, and ours. */
  async function judged(flags: number, order: readonly number[]) {
    const plain = await establish(flags);
    const tokens = Array.from({ length: Math.max(...order) + 1 }, () =>
      plain.initiator.wrap(Buffer.of(1), true),
    );
    const library = order.map((number) =>
      describeSupplementary(plain.acceptor.unwrap(tokens[number] as Buffer).supplementary),
    );
    const { client, server } = ends(await establish(flags), "confidentiality");
    const datagrams = tokens.map((_, number) => sealed(client, String(number)));
    const ours = order.map((number) => open(server, datagrams[number] as Buffer));
    return { library, ours };
  }

  await t.test("without GSS_C_SEQUENCE_FLAG the library tells late from old", async () => {
    assert.deepEqual(await judged(WITHOUT_SEQUENCE, [0, 2, 1, 1, 80, 17, 16, 0]), {
      library: ["", "", "", "duplicate token", "", "", "old token", "old token"],
      ours: ["0", "2", "1", "dropped: duplicate", "80", "17", "dropped: old", "dropped: old"],
    });
  });

  await t.test(
    "with it, a replay from before the window looks like a late token: both are UNSEQ",
    async () => {
      const [unseq, gap] = ["token out of sequence", "gap in the token sequence"];
      assert.deepEqual(await judged(DEFAULT_INITIATOR_FLAGS, [0, 2, 1, 1, 80, 17, 16, 0]), {
        library: ["", gap, unseq, "duplicate token", gap, unseq, unseq, unseq],
        ours: ["0", "2", "1", "dropped: duplicate", "80", "17", "dropped: old", "dropped: old"],
      });
    },
  );

  await t.test("without GSS_C_REPLAY_FLAG either, it lets everything pass", async () => {
    assert.deepEqual(await judged(NEITHER, [0, 2, 1, 1, 80, 17, 16, 0]), {
      library: ["", "", "", "", "", "", "", ""],
      ours: ["0", "2", "1", "dropped: duplicate", "80", "17", "dropped: old", "dropped: old"],
    });
  });

  await t.test("tokens of the TCP connection, on the same context, are no datagrams", async () => {
    const pair = await establish();
    const request = pair.initiator.wrap(Buffer.from("request"), true);
    pair.acceptor.unwrap(Buffer.from(request));
    const { client, server } = ends(pair, "confidentiality");
    const replayed = Buffer.concat([Buffer.from([1, 3, 0, request.length]), request]);
    assert.equal(open(server, replayed), "dropped: duplicate");
    assert.equal(open(server, sealed(client, "datagram")), "datagram");
  });

  await t.test("a closed context drops", async () => {
    const pair = await establish();
    const { client, server } = ends(pair, "confidentiality");
    const datagram = sealed(client, "late");
    pair.acceptor.close();
    assert.equal(open(server, datagram), "dropped: bad-token");
    assert.equal(server.seal(Buffer.from("late")), "unsealed");
  });
});

test("in clear a datagram passes as it is", () => {
  const datagram = Buffer.from("datagram");
  assert.equal(CLEAR_DATAGRAMS.seal(datagram), datagram);
  assert.equal(CLEAR_DATAGRAMS.open(datagram), datagram);
  assert.equal(CLEAR_DATAGRAMS.seal(Buffer.alloc(MAX_DATAGRAM + 1)), "too-large");
});
