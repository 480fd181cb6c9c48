/** wrapInto and unwrapInPlace against ranges that are wrong, and mechanisms that have no IOV calls. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ContextHandle, native } from "../../src/gss/native.js";
import { GSS_C_NT_HOSTBASED_SERVICE, GSS_MECH_KRB5 } from "../../src/gss/oids.js";
import { Realm } from "../support/realm.js";

let realm: Realm;
let initiator: ContextHandle;
let acceptor: ContextHandle;
const result = new Int32Array(4);

before(async () => {
  realm = await Realm.start();
  realm.enter(await realm.kinit("alice"));
  initiator = native.newContext();
  acceptor = native.newContext();
  const name = native.importName(Buffer.from("rcmd@localhost"), GSS_C_NT_HOSTBASED_SERVICE);
  const init = (token: Uint8Array | null) =>
    native.initSecContext(initiator, null, name, GSS_MECH_KRB5, 0x3e, 0, null, token);
  const accepted = await native.acceptSecContext(acceptor, null, null, (await init(null)).token as Buffer);
  await init(accepted.token as Buffer);
});
after(() => realm.stop());

const RANGE = { name: "RangeError", code: "ERR_OUT_OF_RANGE" };
const TYPE = { name: "TypeError", code: "ERR_INVALID_ARG_TYPE" };

test("ranges outside of their buffers, the wrong way round, or no integers", () => {
  const input = Buffer.alloc(100);
  const output = Buffer.alloc(300, 0xee);
  for (const [inStart, inEnd, outStart, outEnd] of [
    [0, 101, 0, 300],
    [-1, 10, 0, 300],
    [11, 10, 0, 300],
    [0.5, 10, 0, 300],
    [0, 10, 0, 301],
    [0, 10, 300, 299],
    [0, 10, 2 ** 32, 2 ** 32 + 200],
    [0, Number.NaN, 0, 300],
    [0, 10, 290, 300],
    [0, 10, 300, 300],
  ] as const) {
    const call = () =>
      native.wrapInto(initiator, true, input, inStart, inEnd, output, outStart, outEnd, result);
    assert.throws(call, RANGE, `${[inStart, inEnd, outStart, outEnd]}`);
    assert.ok(output.every((octet) => octet === 0xee));
  }
  for (const [start, end] of [
    [0, 301],
    [5, 4],
    [-1, 4],
    [0, 1e10],
  ] as const) {
    assert.throws(() => native.unwrapInPlace(acceptor, output, start, end, result), RANGE);
  }
});

test("the result must be an Int32Array of 4 or more", () => {
  const output = Buffer.alloc(300);
  for (const wrong of [undefined, [], new Int32Array(3), new Uint32Array(4), new Int16Array(8)]) {
    const bad = wrong as unknown as Int32Array;
    assert.throws(() => native.wrapInto(initiator, true, output, 0, 0, output, 0, 300, bad), TYPE);
    assert.throws(() => native.unwrapInPlace(acceptor, output, 0, 300, bad), TYPE);
  }
});

const skip =
  process.env.HEIMDAL_LIBRARIES !== undefined &&
  "without IOV calls a token that is refused has its number already";
test("input and token may lie in one buffer, but not on each other", { skip }, () => {
  const memory = Buffer.alloc(1000);
  memory.write("message", 200);
  assert.throws(() => native.wrapInto(initiator, true, memory, 200, 207, memory, 150, 1000, result), RANGE);
  assert.throws(() => native.wrapInto(initiator, true, memory, 200, 207, memory, 206, 1000, result), RANGE);
  const length = native.wrapInto(initiator, true, memory, 200, 207, memory, 207, 1000, result);
  assert.deepEqual([...result], [207, length, 1, 0]);
  assert.equal(native.unwrapInPlace(acceptor, memory, 207, 207 + length, result), 7);
  const [offset = 0] = result;
  assert.equal(memory.toString("latin1", offset, offset + 7), "message");
});

test("an empty message and an empty token", () => {
  const output = Buffer.alloc(100);
  const length = native.wrapInto(initiator, true, new Uint8Array(0), 0, 0, output, 0, 100, result);
  assert.ok(length > 0);
  assert.equal(native.unwrapInPlace(acceptor, output, 0, length, result), 0);
  assert.equal(
    native.unwrap(acceptor, native.wrap(initiator, true, 0, new Uint8Array(0)).token).message.length,
    0,
  );
  assert.throws(() => native.unwrapInPlace(acceptor, output, 5, 5, result), { code: "ERR_GSS" });
  assert.throws(() => native.unwrapInPlace(acceptor, new Uint8Array(0), 0, 0, result), { code: "ERR_GSS" });
  assert.throws(() => native.unwrap(acceptor, new Uint8Array(0)), { code: "ERR_GSS" });
});

test("memory that was taken away", () => {
  const taken = new Uint8Array(100);
  structuredClone(taken, { transfer: [taken.buffer] });
  assert.throws(() => native.unwrapInPlace(acceptor, taken, 0, 100, result), RANGE);
  assert.throws(
    () => native.wrapInto(initiator, true, taken, 0, 100, Buffer.alloc(300), 0, 300, result),
    RANGE,
  );
});
