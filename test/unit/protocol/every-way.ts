/** Feeds a codec one message in every way a socket may deliver it. */
import assert from "node:assert/strict";
import { PeerError } from "../../../src/errors.js";
import { ReceiveBuffer } from "../../../src/protocol/receive-buffer.js";

const LIMIT = 1 << 20;

type Take<T> = (received: ReceiveBuffer) => T | null;

/** Whole, one octet at a time, and with octets behind it, which must be left alone. Gives what was taken. */
export function takeEveryWay<T>(take: Take<T>, message: Buffer): T {
  const whole = new ReceiveBuffer(LIMIT);
  whole.append(message);
  const taken = take(whole);
  assert.ok(taken !== null, "a whole message is taken");
  assert.equal(whole.length, 0);

  const slow = new ReceiveBuffer(LIMIT);
  for (const [index, octet] of message.entries()) {
    slow.append(Buffer.of(octet));
    if (index < message.length - 1) assert.equal(take(slow), null, `after ${index + 1} octets`);
  }
  assert.deepEqual(take(slow), taken);
  assert.equal(slow.length, 0);

  const trailed = new ReceiveBuffer(LIMIT);
  trailed.append(Buffer.concat([message, Buffer.from("behind")]));
  assert.deepEqual(take(trailed), taken);
  assert.equal(trailed.takeAll().toString(), "behind");
  return taken;
}

/** Fails with this PeerError, whole and one octet at a time, and then as soon as octet number `told` is there. */
export function failsEveryWay(
  take: Take<unknown>,
  message: Buffer,
  told: number,
  expected: { code: string; rep?: number },
): void {
  const check = (error: unknown) => {
    assert.ok(error instanceof PeerError);
    assert.equal(error.code, expected.code);
    assert.equal(error.rep, expected.rep ?? 0x01);
    return true;
  };
  const whole = new ReceiveBuffer(LIMIT);
  whole.append(message);
  assert.throws(() => take(whole), check);

  const slow = new ReceiveBuffer(LIMIT);
  for (const octet of message.subarray(0, told - 1)) {
    slow.append(Buffer.of(octet));
    assert.equal(take(slow), null);
  }
  slow.append(message.subarray(told - 1, told));
  assert.throws(() => take(slow), check);
}
