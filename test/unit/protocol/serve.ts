import assert from "node:assert/strict";
import { FakeServer, type FakeServerOptions } from "./fake-server.js";
import { hex } from "./hex.js";

/** Feeds the client's octets whole and byte by byte; both must come to the same. Gives the server fed whole. */
export function serve(client: string, options: FakeServerOptions = {}): FakeServer {
  const octets = hex(client);
  const whole = new FakeServer(options);
  whole.octets(octets);
  const slow = new FakeServer(options);
  for (const octet of octets) slow.octets(Buffer.of(octet));
  assert.deepEqual(slow.log, whole.log);
  assert.deepEqual(slow.relayed, whole.relayed);
  assert.deepEqual(slow.takeSent(), Buffer.concat(whole.sent));
  return whole;
}
