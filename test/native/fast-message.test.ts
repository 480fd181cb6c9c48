/**
 * The addon's own RFC 4121 tokens against the library's, by the library's word: what one makes the other opens, each way
 * and role, at both levels, with each AES enctype, one token at a time and many side by side; and what the library
 * refuses, they refuse. GSSOCKS_FAST_ROUNDS=N makes N times as many random messages.
 */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { type TestContext, test } from "node:test";
import { GSS_C_REPLAY_FLAG, GSS_C_SEQUENCE_FLAG } from "../../src/gss/flags.js";
import { type ContextHandle, type FastContextHandle, native } from "../../src/gss/native.js";
import { GSS_C_NT_HOSTBASED_SERVICE, GSS_MECH_KRB5 } from "../../src/gss/oids.js";
import { AES_ENCTYPES } from "../support/enctypes.js";
import { Realm } from "../support/realm.js";

const ROUNDS = Number(process.env.GSSOCKS_FAST_ROUNDS ?? 1);
const ALL_FLAGS = 0x3e;
const GSS_S_DEFECTIVE_TOKEN = 9 << 16;
const GSS_S_BAD_SIG = 6 << 16;
/** Around blocks, pieces and batches; 65475 is the longest message of a token with confidentiality and SHA-384. */
const SIZES = [
  1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 1000, 4095, 4096, 4097, 16_383, 16_384, 16_385, 40_000, 65_463,
  65_536,
];

type Pair = [initiator: ContextHandle, acceptor: ContextHandle];

async function contexts(
  t: TestContext,
  enctypes: readonly string[],
): Promise<(flags?: number) => Promise<Pair>> {
  const realm = await Realm.start({ enctypes });
  t.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  const name = native.importName(Buffer.from("rcmd@localhost"), GSS_C_NT_HOSTBASED_SERVICE);
  return async (flags = ALL_FLAGS) => {
    const initiator = native.newContext();
    const acceptor = native.newContext();
    const init = (token: Uint8Array | null) =>
      native.initSecContext(initiator, null, name, GSS_MECH_KRB5, flags, 0, null, token);
    const accepted = await native.acceptSecContext(acceptor, null, null, (await init(null)).token as Buffer);
    await init(accepted.token as Buffer);
    return [initiator, acceptor];
  };
}

function exported(context: ContextHandle, lanes = true): FastContextHandle {
  const fast = native.exportFastContext(context, lanes);
  assert.ok(fast);
  return fast;
}

function seal(fast: FastContextHandle, conf: boolean, plain: Buffer): Buffer {
  const output = Buffer.alloc(plain.length + 4096 + (plain.length >> 4));
  return output.subarray(0, native.sealFrames(fast, conf, plain, 0, plain.length, output, 0, output.length));
}

function open(fast: FastContextHandle, frames: Buffer, confRequired = false) {
  const [offset = 0, length = 0, end = 0, major = 0, confState = 0] = openResult(fast, frames, confRequired);
  return { plain: frames.subarray(offset, offset + length), end, major: major >>> 0, confState };
}

function openResult(fast: FastContextHandle, frames: Buffer, confRequired: boolean): Int32Array {
  const result = new Int32Array(5);
  native.openFrames(fast, confRequired, frames, 0, frames.length, result);
  return result;
}

const frame = (token: Buffer) =>
  Buffer.concat([Buffer.of(1, 3, token.length >> 8, token.length & 0xff), token]);

function tokensOf(frames: Buffer): Buffer[] {
  const tokens: Buffer[] = [];
  for (let at = 0; at < frames.length; ) {
    assert.equal(frames.readUInt16BE(at), 0x0103);
    const end = at + 4 + frames.readUInt16BE(at + 2);
    tokens.push(frames.subarray(at + 4, end));
    at = end;
  }
  return tokens;
}

/** Opened by gss_unwrap and gss_unwrap_iov, taking turns. */
function libraryOpens(context: ContextHandle, frames: Buffer, conf: boolean, plain: Buffer): void {
  const result = new Int32Array(4);
  const opened = tokensOf(frames).map((token, index) => {
    if (index % 2 === 0) {
      const { message, confState, major } = native.unwrap(context, token);
      assert.deepEqual([confState, major], [conf, 0]);
      return message;
    }
    native.unwrapInPlace(context, token, 0, token.length, result);
    assert.deepEqual([result[2], result[3]], [conf ? 1 : 0, 0]);
    return Buffer.from(token.subarray(result[0], (result[0] as number) + (result[1] as number)));
  });
  assert.ok(Buffer.concat(opened).equals(plain), `${plain.length} octets`);
}

/** One token by gss_wrap or gss_wrap_iov. */
function libraryWraps(context: ContextHandle, plain: Buffer, conf: boolean, iov: boolean): Buffer {
  if (!iov) return native.wrap(context, conf, 0, plain).token;
  const output = Buffer.alloc(plain.length + 200);
  return output.subarray(
    0,
    native.wrapInto(context, conf, plain, 0, plain.length, output, 0, output.length, new Int32Array(4)),
  );
}

/** RFC 4121 §4.2.5: as a sender may turn the body of a token. */
function rotated(token: Buffer, count: number): Buffer {
  const body = token.subarray(16);
  const by = count % body.length;
  const turned = Buffer.concat([
    token.subarray(0, 16),
    body.subarray(body.length - by),
    body.subarray(0, body.length - by),
  ]);
  turned.writeUInt16BE(count, 6);
  return turned;
}

for (const enctype of AES_ENCTYPES) {
  test(enctype, async (t) => {
    const establish = await contexts(t, [enctype]);
    for (const lanes of [false, true]) {
      for (const role of ["initiator", "acceptor"] as const) {
        await t.test(`the library as peer of an ${role}, ${lanes ? "in lanes" : "one by one"}`, async () => {
          const pair = await establish();
          const [own, peer] = role === "initiator" ? pair : [pair[1], pair[0]];
          const fast = exported(own, lanes);
          for (const conf of [true, false]) {
            for (const size of SIZES) {
              const plain = randomBytes(size);
              libraryOpens(peer, seal(fast, conf, plain), conf, plain);
            }
            // As many in one go as a read may hold, of sizes of their own.
            for (let round = 0; round < 12 * ROUNDS; round += 1) {
              const sizes = Array.from({ length: 1 + randomInt(40) }, () =>
                randomInt(round % 3 === 0 ? 3000 : 100),
              );
              const plains = sizes.map((size) => randomBytes(size));
              const frames = plains.map((plain, index) =>
                frame(libraryWraps(peer, plain, conf, index % 2 === 1)),
              );
              const opened = open(fast, Buffer.concat(frames), conf);
              assert.deepEqual([opened.major, opened.confState], [0, conf ? 1 : 0]);
              assert.ok(opened.plain.equals(Buffer.concat(plains)), String(sizes));
              const plain = randomBytes(randomInt(1, 70_000));
              libraryOpens(peer, seal(fast, conf, plain), conf, plain);
            }
            for (const size of SIZES.slice(0, -1)) {
              for (const count of [0, 1, 12, 16, 28, size + 13, 65_535]) {
                const plain = randomBytes(size);
                const token = rotated(libraryWraps(peer, plain, conf, false), count);
                const opened = open(fast, frame(token), conf);
                assert.ok(opened.major === 0 && opened.plain.equals(plain), `${size} octets, RRC ${count}`);
              }
            }
            assert.equal(open(fast, frame(libraryWraps(peer, Buffer.alloc(0), conf, false))).plain.length, 0);
          }
          // Both kinds in one go.
          const plains = Array.from({ length: 40 }, (_, index) => randomBytes(index * 7));
          const frames = plains.map((plain, index) =>
            frame(libraryWraps(peer, plain, index % 3 !== 0, false)),
          );
          const opened = open(fast, Buffer.concat(frames));
          assert.ok(opened.major === 0 && opened.plain.equals(Buffer.concat(plains)));
        });
      }

      await t.test(`both ends, ${lanes ? "in lanes" : "one by one"}`, async () => {
        const [initiator, acceptor] = (await establish()).map((context) => exported(context, lanes)) as [
          FastContextHandle,
          FastContextHandle,
        ];
        for (let round = 0; round < 200 * ROUNDS; round += 1) {
          const conf = round % 2 === 0;
          const [from, to] = round % 4 < 2 ? [initiator, acceptor] : [acceptor, initiator];
          const plain = randomBytes(randomInt(1, round % 10 === 0 ? 66_000 : 300));
          const frames = seal(from, conf, plain);
          const { plain: opened, end, major } = open(to, Buffer.concat([frames, Buffer.of(1, 3, 0)]), conf);
          assert.deepEqual([end, major], [frames.length, 0]);
          assert.ok(opened.equals(plain));
        }
      });

      await t.test(`each octet of a token counts, ${lanes ? "in lanes" : "one by one"}`, async () => {
        const [initiator, acceptor] = await establish();
        const fast = exported(acceptor, lanes);
        for (const conf of [true, false]) {
          for (const size of [0, 5, 16, 29]) {
            // Among others, so that lanes are used: what is before the bad one comes out, what is behind it does not.
            const tokens = Array.from(
              { length: 12 },
              () => native.wrap(initiator, conf, 0, randomBytes(size)).token,
            );
            const bad = frame(tokens[5] as Buffer);
            const first = Buffer.concat(tokens.slice(0, 5).map(frame));
            const last = Buffer.concat(tokens.slice(5).map(frame));
            const changed = Buffer.from(bad);
            changed.writeUInt8(changed.readUInt8(20) ^ 0x80, 20);
            const opened = open(fast, Buffer.concat([first, changed, last]));
            assert.deepEqual(
              [opened.plain.length, opened.end, opened.major],
              [5 * size, first.length, GSS_S_BAD_SIG],
            );
            for (let at = 4; at < bad.length; at += 1) {
              for (const bit of [0x01, 0x80]) {
                const changed = Buffer.from(bad);
                changed.writeUInt8(changed.readUInt8(at) ^ bit, at);
                // RRC tells the opener where the body begins, and is not protected itself.
                if (changed.readUInt16BE(10) !== 0 && changed.readUInt16BE(10) % (bad.length - 20) === 0)
                  continue;
                const { major, end, plain } = open(fast, changed);
                assert.ok(
                  major === GSS_S_BAD_SIG || major === GSS_S_DEFECTIVE_TOKEN,
                  `octet ${at}: ${major}`,
                );
                assert.deepEqual([end, plain.length], [0, 0]);
              }
            }
            for (let length = 0; length < bad.length - 4; length += 1) {
              const { major } = open(fast, frame(bad.subarray(4, 4 + length)));
              assert.ok(
                major === GSS_S_BAD_SIG || major === GSS_S_DEFECTIVE_TOKEN,
                `${length} octets: ${major}`,
              );
            }
            // None of that used up a number.
            assert.equal(open(fast, last).major, 0);
          }
        }
        const garbage = Buffer.alloc(65_535, 0x05);
        assert.equal(open(fast, frame(garbage)).major, GSS_S_DEFECTIVE_TOKEN);
        for (let round = 0; round < 500; round += 1) {
          const token = randomBytes(randomInt(200));
          // As far as possible a token of the peer's, by its first octets.
          Buffer.of(0x05, 0x04, round % 8, 0xff, 0, round % 5 === 0 ? 12 : randomInt(256)).copy(token);
          assert.notEqual(open(fast, frame(token)).major, 0);
        }
        // One of our own, sent back.
        assert.equal(open(fast, seal(fast, true, Buffer.from("own"))).major, GSS_S_BAD_SIG);
      });
    }
  });
}

test("order, as the library judges it, under each choice of the initiator's flags", async (t) => {
  const establish = await contexts(t, [AES_ENCTYPES[1]]);
  const base = ALL_FLAGS & ~GSS_C_REPLAY_FLAG & ~GSS_C_SEQUENCE_FLAG;
  for (const flags of [base, base | GSS_C_REPLAY_FLAG, base | GSS_C_SEQUENCE_FLAG, ALL_FLAGS]) {
    for (let round = 0; round < 10 * ROUNDS; round += 1) {
      const library = await establish(flags);
      const own = await establish(flags);
      // Doubled, late, skipped, some before the keys are taken. No step ahead of 64: there MIT shifts its map by more
      // than it is wide, and calls tokens doubled that are not.
      let at = 0;
      const order = Array.from({ length: 160 }, () => {
        at = Math.min(Math.max(0, at + randomInt(-80, round % 2 === 0 ? 6 : 60)), 149);
        return at;
      });
      const before = order.slice(0, randomInt(12));
      const made = ([initiator]: Pair) =>
        Array.from({ length: 150 }, () => native.wrap(initiator, false, 0, Buffer.from("x")).token);
      const [libraryTokens, ownTokens] = [made(library), made(own)];
      const expected = order.map(
        (number) => native.unwrap(library[1], libraryTokens[number] as Buffer).major,
      );
      const first = before.map((number) => native.unwrap(own[1], ownTokens[number] as Buffer).major);
      const fast = exported(own[1]);
      const then = order
        .slice(before.length)
        .map((number) => open(fast, frame(ownTokens[number] as Buffer)).major);
      assert.deepEqual([...first, ...then], expected, `flags ${flags}, ${order}`);
    }
  }
});

test("a context whose tokens can't be made is left as it was", async (t) => {
  const [initiator, acceptor] = await (await contexts(t, ["camellia256-cts-cmac"]))();
  for (const context of [initiator, acceptor]) assert.equal(native.exportFastContext(context, true), null);
  assert.equal(
    native.unwrap(acceptor, native.wrap(initiator, true, 0, Buffer.from("x")).token).message.toString(),
    "x",
  );
});

test("a context that opened more messages than are kept is left as it was", async (t) => {
  const [initiator, acceptor] = await (await contexts(t, [AES_ENCTYPES[1]]))();
  const pass = () => native.unwrap(acceptor, native.wrap(initiator, true, 0, Buffer.from("x")).token).message;
  for (let count = 0; count < 65; count += 1) pass();
  assert.equal(native.exportFastContext(acceptor, true), null);
  assert.equal(pass().toString(), "x");
  assert.ok(native.exportFastContext(initiator, true));
});

test("handles, arguments and ranges that are wrong", async (t) => {
  const establish = await contexts(t, [AES_ENCTYPES[1]]);
  const [initiator, acceptor] = await establish();
  const fast = exported(initiator);
  const peer = exported(acceptor);
  const result = new Int32Array(5);
  const [HANDLE, CLOSED] = [{ code: "ERR_GSSOCKS_HANDLE" }, { code: "ERR_GSSOCKS_CLOSED" }];
  const [RANGE, TYPE] = [{ code: "ERR_OUT_OF_RANGE" }, { code: "ERR_INVALID_ARG_TYPE" }];
  // The context has gone into it.
  assert.throws(() => native.wrap(initiator, true, 0, Buffer.from("x")), { code: "ERR_GSS" });
  assert.throws(() => native.exportFastContext(initiator, true), { code: "ERR_GSS" });
  assert.throws(() => native.exportFastContext(native.newContext(), true), { code: "ERR_GSS" });
  for (const wrong of [initiator, undefined, {}, new Proxy(fast, {})]) {
    const handle = wrong as unknown as FastContextHandle;
    assert.throws(() => native.openFrames(handle, true, Buffer.alloc(9), 0, 9, result), HANDLE);
    assert.throws(
      () => native.sealFrames(handle, true, Buffer.alloc(9), 0, 9, Buffer.alloc(99), 0, 99),
      HANDLE,
    );
  }
  assert.throws(() => native.exportFastContext(fast as unknown as ContextHandle, true), HANDLE);
  const output = Buffer.alloc(300, 0xee);
  for (const [inStart, inEnd, outStart, outEnd] of [
    [0, 101, 0, 300],
    [11, 10, 0, 300],
    [0, 10, 0, 301],
    [0, 10, 300, 299],
    [0, 10, 220, 300],
    [0, 100, 0, 179],
    [-1, 10, 0, 300],
  ] as const) {
    const call = () =>
      native.sealFrames(fast, true, Buffer.alloc(100), inStart, inEnd, output, outStart, outEnd);
    assert.throws(call, RANGE, `${[inStart, inEnd, outStart, outEnd]}`);
    assert.ok(output.every((octet) => octet === 0xee));
  }
  assert.throws(() => native.sealFrames(fast, true, output, 0, 100, output, 50, 300), RANGE);
  for (const wrong of [undefined, new Int32Array(4), new Uint32Array(5)])
    assert.throws(() => native.openFrames(peer, true, output, 0, 9, wrong as never), TYPE);
  assert.throws(() => native.openFrames(peer, true, output, 0, 301, result), RANGE);
  // Nothing of that used up a number; nothing makes nothing.
  assert.equal(native.sealFrames(fast, true, output, 0, 0, output, 100, 300), 0);
  native.openFrames(peer, true, output, 5, 5, result);
  assert.deepEqual([...result], [5, 0, 5, 0, 1]);
  // Within ranges: what is around stays as it was.
  const length = native.sealFrames(fast, true, Buffer.from("message"), 0, 7, output, 100, 300);
  assert.ok(output.subarray(0, 100).every((octet) => octet === 0xee));
  native.openFrames(peer, true, output, 100, 100 + length, result);
  assert.equal(output.toString("latin1", result[0], (result[0] as number) + 7), "message");
  assert.deepEqual([...result.subarray(1)], [7, 100 + length, 0, 1]);
  fast.close();
  fast.close();
  assert.throws(() => native.sealFrames(fast, true, Buffer.alloc(9), 0, 9, output, 0, 300), CLOSED);
  assert.throws(() => native.openFrames(fast, true, output, 0, 300, result), CLOSED);
});
