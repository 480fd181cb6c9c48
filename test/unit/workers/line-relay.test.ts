// A worker's lines, however its octets come: each is handed on whole, the reading waits, and a torn end is left out.
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { relayLines } from "../../../src/workers/line-relay.js";

test("lines are handed on whole, in order, and what is torn is left out", async () => {
  const line = fc.string({ unit: "binary", maxLength: 20 }).map((text) => text.replaceAll("\n", ""));
  await fc.assert(
    fc.asyncProperty(fc.array(line), line, fc.infiniteStream(fc.nat(9)), async (lines, torn, sizes) => {
      const octets = Buffer.from([...lines, torn].join("\n"));
      const chunks: Buffer[] = [];
      for (let at = 0; at < octets.length; at += (chunks.at(-1) as Buffer).length)
        chunks.push(octets.subarray(at, at + 1 + (sizes.next().value as number)));
      let written = "";
      await relayLines(Readable.from(chunks), {
        write: (text) => {
          assert.ok(text.endsWith("\n"));
          written += text;
        },
        room: async () => {},
      });
      const whole = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      assert.ok(Buffer.from(written).equals(whole));
    }),
  );
});

test("nothing is read while there is no room", async () => {
  const from = new PassThrough({ highWaterMark: 10 });
  const written: string[] = [];
  let makeRoom = () => {};
  const relayed = relayLines(from, {
    write: (text) => void written.push(text),
    room: () =>
      new Promise((resolve) => {
        makeRoom = resolve;
      }),
  });
  from.write("one\n");
  while (written.length === 0) await new Promise((resolve) => setImmediate(resolve));
  while (from.write("more\n"));
  assert.deepEqual(written, ["one\n"]);
  from.end();
  while (written.join("").split("more").length < 3 || !from.readableEnded) {
    makeRoom();
    await new Promise((resolve) => setImmediate(resolve));
  }
  makeRoom();
  await relayed;
});
