/**
 * What is tested: 200 sessions opened at once at level confidentiality, all of them open at the same time, each with data
 * of its own that comes back whole; and each with an audit record of its own.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connect } from "../../src/index.js";
import { until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";

const SESSIONS = 200;
const SIZE = 200_000;

const sha256 = (octets: Uint8Array) => createHash("sha256").update(octets).digest("hex");

test(`${SESSIONS} sessions at once`, async (context) => {
  const { proxy } = await proxiedRealm(context);
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());

  const streams = await Promise.all(
    Array.from({ length: SESSIONS }, () =>
      connect({
        proxy: { host: "localhost", port: proxy.port },
        destination: { host: "127.0.0.1", port: origin.port },
      }),
    ),
  );
  context.after(() => {
    for (const stream of streams) stream.destroy();
  });
  assert.ok(streams.every(({ session }) => session.level === "confidentiality"));
  await until("each has a socket at the origin", () => origin.sockets.length === SESSIONS);
  // And none has ended.
  assert.ok(origin.sockets.every(({ readableEnded, destroyed }) => !readableEnded && !destroyed));
  assert.deepEqual(proxy.audits(), []);

  await Promise.all(
    streams.map(async (stream, index) => {
      const octets = createHash("shake256", { outputLength: SIZE }).update(`session ${index}`).digest();
      stream.end(octets);
      const back = Buffer.concat(await stream.toArray());
      assert.deepEqual([back.length, sha256(back)], [SIZE, sha256(octets)], `session ${index}`);
    }),
  );

  proxy.signal("SIGTERM");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  const records = proxy.audits();
  assert.equal(new Set(records.map(({ session }) => session)).size, SESSIONS);
  for (const { principal, level, outcome, bytesUp, bytesDown } of records) {
    assert.deepEqual(
      { principal, level, outcome, bytesUp, bytesDown },
      {
        principal: "alice@EXAMPLE.TEST",
        level: "confidentiality",
        outcome: "completed",
        bytesUp: SIZE,
        bytesDown: SIZE,
      },
    );
  }
});
