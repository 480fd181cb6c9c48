/**
 * What is tested: 100 MB each way at once through server and client, at every protection level and with either enctype,
 * with a SHA-256 taken at both ends, once without the fast path, and the octets that the audit record counts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { test } from "node:test";
import { connect, type ProtectionLevel } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { ENCTYPES } from "../support/enctypes.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";

const SIZE = 100_000_000;

/** Writes SIZE octets, each chunk different from the others, then ends. @returns their SHA-256 */
async function send(output: Writable, seed: number): Promise<string> {
  const hash = createHash("sha256");
  const block = createHash("shake256", { outputLength: 100_000 }).update(`block ${seed}`).digest();
  for (let sent = 0; sent < SIZE; sent += block.length) {
    const chunk = Buffer.from(block);
    chunk.writeUInt32BE(sent, 0);
    hash.update(chunk);
    if (!output.write(chunk)) await new Promise((resolve) => output.once("drain", resolve));
  }
  output.end();
  await finished(output, { readable: false });
  return hash.digest("hex");
}

async function hashOf(input: Readable): Promise<string> {
  const hash = createHash("sha256");
  // Plain iteration would destroy the stream at its end, and the other direction with it.
  for await (const octets of input.iterator({ destroyOnReturn: false })) hash.update(octets);
  return hash.digest("hex");
}

const CASES: [enctype: string, level: ProtectionLevel, fastPath?: boolean][] = [
  ...ENCTYPES.flatMap((enctype) =>
    (["confidentiality", "integrity"] as const).map((level): [string, ProtectionLevel] => [enctype, level]),
  ),
  [ENCTYPES[0], "none"],
  [ENCTYPES[0], "confidentiality", false],
];

for (const [enctype, level, fastPath = true] of CASES) {
  test(`100 MB each way at level ${level}, ${enctype}${fastPath ? "" : ", the library's calls"}`, async (context) => {
    const { proxy } = await proxiedRealm(
      context,
      { gssapi: { protectionLevels: [level], fastPath } },
      { enctypes: [enctype] },
    );
    const atOrigin = deferred<string[]>();
    const origin = await Origin.start((socket) => {
      Promise.all([send(socket, 1), hashOf(socket)]).then(atOrigin.resolve, atOrigin.reject);
    });
    context.after(() => origin.stop());

    const stream = await connect({
      proxy: { host: "localhost", port: proxy.port },
      destination: { host: "127.0.0.1", port: origin.port },
      levels: [level],
      fastPath,
    });
    const [up, down] = await Promise.all([send(stream, 2), hashOf(stream)]);
    assert.deepEqual(await atOrigin.promise, [down, up]);

    const record = await proxy.audit();
    const { outcome, bytesUp, bytesDown, sealedUp, sealedDown } = record;
    assert.deepEqual(
      { outcome, bytesUp, bytesDown },
      { outcome: "completed", bytesUp: SIZE, bytesDown: SIZE },
    );
    if (level === "none") assert.deepEqual({ sealedUp, sealedDown }, { sealedUp: 0, sealedDown: 0 });
    else assert.ok(Number(sealedUp) > SIZE && Number(sealedDown) > SIZE, `${sealedUp}, ${sealedDown}`);
  });
}
