// Octets received and not yet parsed: order, bounds, and memory of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PeerError } from "../../../src/errors.js";
import { ReceiveBuffer } from "../../../src/protocol/receive-buffer.js";

test("what is taken is what was appended, in order, however it was cut", () => {
  const step = fc.oneof(
    fc.record({ append: fc.uint8Array({ maxLength: 700 }) }),
    fc.record({ take: fc.nat(700) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const received = new ReceiveBuffer(1 << 20);
      let model = Buffer.alloc(0);
      for (const each of steps) {
        if ("append" in each) {
          received.append(each.append);
          model = Buffer.concat([model, each.append]);
        } else {
          const count = Math.min(each.take, model.length);
          assert.deepEqual(received.take(count), model.subarray(0, count));
          model = model.subarray(count);
        }
        assert.equal(received.length, model.length);
        if (model.length > 1) {
          assert.equal(received.octet(model.length - 1), model[model.length - 1]);
          assert.equal(received.uint16(0), model.readUInt16BE(0));
        }
      }
      assert.deepEqual(received.takeAll(), model);
      assert.equal(received.length, 0);
    }),
  );
});

test("the limit is exact, and a refused append takes nothing", () => {
  const received = new ReceiveBuffer(600);
  received.append(Buffer.alloc(100, 1));
  received.append(Buffer.alloc(500, 2));
  assert.throws(
    () => received.append(Buffer.of(3)),
    (error) => error instanceof PeerError && error.code === "TOO_MUCH_DATA",
  );
  assert.equal(received.length, 600);
  assert.deepEqual(received.take(100), Buffer.alloc(100, 1));
  received.append(Buffer.alloc(100, 3));
  assert.deepEqual(received.takeAll(), Buffer.concat([Buffer.alloc(500, 2), Buffer.alloc(100, 3)]));
});

test("taken octets share no memory with the caller's or with later ones", () => {
  const received = new ReceiveBuffer(64);
  const source = Buffer.from("first");
  received.append(source);
  source.fill(0);
  received.append(Buffer.alloc(59, "x"));
  const first = received.take(5);
  // Makes room by moving what is held to the front.
  received.append(Buffer.from("other"));
  assert.equal(first.toString(), "first");
  assert.equal(received.takeAll().toString(), `${"x".repeat(59)}other`);
});

test("a secret is taken like anything else", () => {
  const received = new ReceiveBuffer(64);
  received.append(Buffer.from("xsecret"));
  assert.equal(received.take(1).toString(), "x");
  const secret = received.takeSecret(4);
  assert.equal(secret.toString(), "secr");
  assert.equal(received.takeSecret(2).toString(), "et");
  assert.equal(secret.toString(), "secr");
  assert.equal(received.length, 0);
});
