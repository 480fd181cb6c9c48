/** Sealed octets there and back, through a proxy to an echo. */
import assert from "node:assert/strict";
import type { RawClient } from "./raw-client.js";

/** Sends some octets and wants them back; the client goes on to be used. */
export async function assertEchoes(client: RawClient, conf = true): Promise<void> {
  const sent = Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * 7) % 251));
  client.send(client.seal(sent.subarray(0, 1000), conf), client.seal(sent.subarray(1000), conf));
  assert.deepEqual(await client.openOctets(sent.length, conf), sent);
}
