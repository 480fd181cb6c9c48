/** Per-message calls at both enctypes: gss_wrap and gss_wrap_iov must make and read each other's tokens. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import fc from "fast-check";
import {
  GSS_C_CONF_FLAG,
  GSS_C_INTEG_FLAG,
  GSS_C_MUTUAL_FLAG,
  GSS_C_REPLAY_FLAG,
  GSS_C_SEQUENCE_FLAG,
  GSS_S_DUPLICATE_TOKEN,
  GSS_S_GAP_TOKEN,
  GSS_S_OLD_TOKEN,
  GSS_S_UNSEQ_TOKEN,
} from "../../../src/gss/flags.js";
import type { SecurityContext } from "../../../src/gss/security-context.js";
import { Realm } from "../../support/realm.js";
import { ENCTYPES, newPair, type Pair } from "./establish.js";

const OVERHEAD = 256;

/** Seals behind `before` octets of other memory, and checks that the rest of the buffer is left alone. */
function wrapInto(context: SecurityContext, message: Uint8Array, conf: boolean, before: number): Buffer {
  const output = Buffer.alloc(before + message.length + OVERHEAD, 0xee);
  const length = context.wrapInto(conf, message, 0, message.length, output, before, output.length);
  assert.ok(output.subarray(0, before).every((octet) => octet === 0xee));
  assert.ok(output.subarray(before + length).every((octet) => octet === 0xee));
  return output.subarray(before, before + length);
}

function unwrapInPlace(context: SecurityContext, token: Uint8Array, before: number) {
  const buffer = Buffer.concat([Buffer.alloc(before, 0xdd), token, Buffer.alloc(7, 0xdd)]);
  const { offset, length, confState, supplementary } = context.unwrapInPlace(
    buffer,
    before,
    before + token.length,
  );
  assert.ok(offset >= before && offset + length <= before + token.length);
  assert.ok(buffer.subarray(0, before).every((octet) => octet === 0xdd));
  assert.ok(buffer.subarray(-7).every((octet) => octet === 0xdd));
  return { message: buffer.subarray(offset, offset + length), confState, supplementary };
}

/** RFC 4121 §4.2.5: what follows the header, rotated right by RRC octets, as other libraries send it. */
function rotate(token: Buffer, rrc: number): Buffer {
  const rotated = Buffer.from(token);
  rotated.writeUInt16BE(rrc, 6);
  const body = token.subarray(16);
  const cut = body.length - (rrc % body.length);
  body.subarray(cut).copy(rotated, 16);
  body.subarray(0, cut).copy(rotated, 16 + body.length - cut);
  return rotated;
}

for (const enctype of ENCTYPES) {
  suite(`messages, ${enctype}`, () => {
    let realm: Realm;
    let pair: Pair;
    before(async () => {
      realm = await Realm.start({ enctypes: [enctype] });
      realm.enter();
      await realm.kinit("alice");
      pair = await newPair();
    });
    after(async () => {
      pair.close();
      await realm.stop();
    });

    for (const conf of [true, false]) {
      test(`all four ways, conf ${conf}, any size`, () => {
        const property = (message: Uint8Array, before: number, down: boolean) => {
          const [from, to] = down ? [pair.acceptor, pair.initiator] : [pair.initiator, pair.acceptor];
          for (const token of [from.wrap(message, conf), wrapInto(from, message, conf, before)]) {
            const opened = unwrapInPlace(to, token, before);
            assert.deepEqual([opened.confState, opened.supplementary], [conf, 0]);
            assert.ok(opened.message.equals(message));
          }
          for (const token of [from.wrap(message, conf), wrapInto(from, message, conf, before)]) {
            const opened = to.unwrap(token);
            assert.deepEqual([opened.confState, opened.supplementary], [conf, 0]);
            assert.ok(opened.message.equals(message));
          }
        };
        const message = fc.uint8Array({ maxLength: 5000 });
        fc.assert(fc.property(message, fc.nat({ max: 40 }), fc.boolean(), property));
        for (const length of [0, 1, 15, 16, 17, 65535, 65536, 65537, 3 << 20]) {
          property(Buffer.alloc(length, "gssocks"), 3, true);
        }
      });

      test(`rotated tokens, conf ${conf}`, () => {
        for (const length of [0, 1, 100, 5000]) {
          const message = Buffer.alloc(length, "rotated");
          for (const rrc of [1, 12, 16, 28, 40, 60, 4000, 65535]) {
            const opened = unwrapInPlace(pair.acceptor, rotate(pair.initiator.wrap(message, conf), rrc), 5);
            assert.deepEqual([opened.message, opened.confState, opened.supplementary], [message, conf, 0]);
            assert.deepEqual(
              pair.acceptor.unwrap(rotate(pair.initiator.wrap(message, conf), rrc)).message,
              message,
            );
          }
        }
      });

      test(`the size limit is exact, conf ${conf}`, () => {
        for (const max of [200, 4096, 65535]) {
          const limit = pair.initiator.wrapSizeLimit(conf, max);
          const output = Buffer.alloc(max + 1);
          const tokenOf = (length: number) =>
            pair.initiator.wrapInto(conf, Buffer.alloc(length), 0, length, output, 0, output.length);
          assert.ok(tokenOf(limit) <= max);
          pair.acceptor.unwrap(output.subarray(0, tokenOf(0)));
        }
        assert.equal(pair.initiator.wrapSizeLimit(conf, 10), 0);
      });
    }

    test("a token that does not fit is not begun", async () => {
      const fresh = await newPair();
      const message = Buffer.from("too long for it");
      const first = fresh.initiator.wrap(message, true);
      const room = first.length;
      const output = Buffer.alloc(room, 0xee);
      assert.throws(() => fresh.initiator.wrapInto(true, message, 0, message.length, output, 1, room), {
        name: "UsageError",
        code: "OUT_OF_RANGE",
      });
      assert.ok(output.every((octet) => octet === 0xee));
      // And no sequence number (RFC 4121 §4.2.6.2: octets 8 to 15) was used up.
      assert.equal(fresh.initiator.wrapInto(true, message, 0, message.length, output, 0, room), room);
      assert.equal(output.readBigUInt64BE(8), first.readBigUInt64BE(8) + 1n);
      fresh.close();
    });

    // MIT remembers the last 64 tokens. What is older is OLD in a context without GSS_C_SEQUENCE_FLAG, and UNSEQ, as any
    // late token, in one with it: a replay can't be told from a late token then.
    for (const [flags, late, old] of [
      [GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG, GSS_S_UNSEQ_TOKEN, GSS_S_UNSEQ_TOKEN],
      [GSS_C_REPLAY_FLAG, 0, GSS_S_OLD_TOKEN],
    ] as const) {
      test(`duplicate, late, old and gap are told by their bits, flags ${flags}`, async () => {
        const fresh = await newPair({
          flags: flags | GSS_C_CONF_FLAG | GSS_C_INTEG_FLAG | GSS_C_MUTUAL_FLAG,
        });
        const tokens = Array.from({ length: 70 }, (_, i) => fresh.initiator.wrap(Buffer.from([i]), true));
        const open = (i: number) => unwrapInPlace(fresh.acceptor, tokens[i] as Buffer, 0).supplementary;
        const gap = (flags & GSS_C_SEQUENCE_FLAG) === 0 ? 0 : GSS_S_GAP_TOKEN;
        assert.equal(open(0), 0);
        assert.equal(open(0), GSS_S_DUPLICATE_TOKEN);
        assert.equal(open(2), gap);
        assert.equal(open(1), late);
        assert.equal(open(69), gap);
        assert.equal(open(2), old);
        assert.equal(fresh.acceptor.unwrap(tokens[69] as Buffer).supplementary, GSS_S_DUPLICATE_TOKEN);
        fresh.close();
      });
    }

    test("a MIC holds for its message only", () => {
      const mic = pair.initiator.getMic(Buffer.from("message"));
      assert.equal(pair.acceptor.verifyMic(Buffer.from("message"), mic), 0);
      assert.equal(pair.acceptor.verifyMic(Buffer.from("message"), mic), GSS_S_DUPLICATE_TOKEN);
      assert.throws(() => pair.acceptor.verifyMic(Buffer.from("massage"), mic), { code: "BAD_TOKEN" });
    });

    test("any damage to a token is an error, and the context lives on", async () => {
      const fresh = await newPair();
      for (const conf of [true, false]) {
        const token = fresh.initiator.wrap(Buffer.from("damage me"), conf);
        for (let at = 0; at < token.length; at++) {
          // RRC is covered by no checksum (RFC 4121 §4.2.4).
          if (at === 6 || at === 7) continue;
          const damaged = Buffer.from(token);
          damaged[at] = (damaged[at] ?? 0) ^ 0x40;
          assert.throws(
            () => fresh.acceptor.unwrapInPlace(damaged, 0, damaged.length),
            { name: "GssError" },
            `${at}`,
          );
        }
        for (let length = 0; length < token.length; length++) {
          const cut = token.subarray(0, length);
          assert.throws(() => fresh.acceptor.unwrap(cut), { name: "GssError" }, `${length}`);
          assert.throws(
            () => fresh.acceptor.unwrapInPlace(Buffer.from(cut), 0, length),
            { name: "GssError" },
            `${length}`,
          );
        }
        assert.equal(fresh.acceptor.unwrap(token).message.toString(), "damage me");
      }
      fresh.close();
    });

    test("noise is an error", () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 300 }),
          fc.constantFrom("", "0504", "050402ff", "050406ff0000", "60"),
          (noise, prefix) => {
            const token = Buffer.concat([Buffer.from(prefix, "hex"), noise]);
            assert.throws(() => pair.acceptor.unwrap(token), { name: "GssError" });
            assert.throws(() => pair.acceptor.unwrapInPlace(token, 0, token.length), { name: "GssError" });
          },
        ),
        { numRuns: 1000 },
      );
    });
  });
}
