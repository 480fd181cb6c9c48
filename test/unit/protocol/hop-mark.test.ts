// The private METHOD that tells how many proxies a session has come through.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkHops, hopMark, hopsOf, MAX_HOPS } from "../../../src/protocol/hop-mark.js";
import { encodeMethods, takeMethods } from "../../../src/protocol/method-selection.js";
import { takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

test("the mark beside the METHODs", () => {
  const third = hex(`
    05    # VER
    02    # NMETHODS
    01    # GSSAPI
    e3    # three proxies so far
  `);
  assert.deepEqual(encodeMethods([1, hopMark(3)]), third);
  assert.equal(hopsOf(takeEveryWay(takeMethods, third)), 3);
});

test("eight are let through, nine are a loop", () => {
  for (let hops = 1; hops <= MAX_HOPS; hops += 1) assert.equal(hopMark(hops), 0xe0 + hops);
  for (const hops of [MAX_HOPS + 1, 30, 31, 1000])
    assert.throws(() => hopMark(hops), { code: "LOOP", rep: 1 });
  for (const hops of [0, -1, 1.5, Number.NaN]) assert.throws(() => hopMark(hops), { code: "BAD_ARGUMENT" });
  checkHops(MAX_HOPS);
  assert.throws(() => checkHops(MAX_HOPS + 1), { code: "LOOP" });
});

test("whatever METHODs there are, the highest mark counts; no other METHOD is one", () => {
  assert.equal(hopsOf([]), 0);
  assert.equal(hopsOf([0x00, 0x01, 0x02, 0x80, 0xdf, 0xff]), 0);
  assert.equal(hopsOf([0xfe]), 30);
  const method = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.array(method), fc.integer({ min: 1, max: MAX_HOPS }), (methods, hops) => {
      const others = methods.filter((each) => each < 0xe0 || each === 0xff);
      assert.equal(hopsOf([...others, hopMark(hops), ...others]), hops);
      assert.ok(hopsOf([...methods, hopMark(hops)]) >= hops);
    }),
  );
});
