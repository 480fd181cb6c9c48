// The connections made for users: found from either text of an address, and never for another one with the same ports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OutgoingConnections } from "../../../src/server/outgoing.js";

const LOCAL = { address: "192.0.2.1", port: 40_000 };
const REMOTE = { address: "198.51.100.7", port: 22 };
const ALICE = { session: "a", user: "alice@EXAMPLE.TEST" };

test("found while it is there", () => {
  const outgoing = new OutgoingConnections();
  assert.equal(outgoing.find(LOCAL, REMOTE), null);
  const remove = outgoing.add(LOCAL, REMOTE, ALICE);
  assert.equal(outgoing.find(LOCAL, REMOTE), ALICE);
  const others = [
    [REMOTE, LOCAL],
    [{ ...LOCAL, port: 40_001 }, REMOTE],
    [{ ...LOCAL, address: "192.0.2.2" }, REMOTE],
    [LOCAL, { ...REMOTE, port: 23 }],
    [LOCAL, { ...REMOTE, address: "198.51.100.8" }],
  ] as const;
  for (const [local, remote] of others) assert.equal(outgoing.find(local, remote), null);
  remove();
  remove();
  assert.deepEqual([outgoing.find(LOCAL, REMOTE), outgoing.size], [null, 0]);
});

test("an IPv4-mapped address is the IPv4 address; IPv6 has one text, without a scope", () => {
  const outgoing = new OutgoingConnections();
  outgoing.add({ ...LOCAL, address: "::ffff:192.0.2.1" }, REMOTE, ALICE);
  assert.equal(outgoing.find(LOCAL, { ...REMOTE, address: "::ffff:198.51.100.7" }), ALICE);
  outgoing.add({ address: "2001:DB8::0:1", port: 1 }, { address: "fe80::1%eth0", port: 2 }, ALICE);
  assert.equal(outgoing.find({ address: "2001:db8::1", port: 1 }, { address: "fe80::1", port: 2 }), ALICE);
});

test("an end that comes late leaves the next connection with the same ports alone", () => {
  const outgoing = new OutgoingConnections();
  const late = outgoing.add(LOCAL, REMOTE, ALICE);
  const bob = { session: "b", user: "bob" };
  const remove = outgoing.add(LOCAL, REMOTE, bob);
  late();
  assert.equal(outgoing.find(LOCAL, REMOTE), bob);
  remove();
  assert.equal(outgoing.size, 0);
});
