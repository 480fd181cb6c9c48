/**
 * What is tested: every command, for a client let in in every way (no authentication, password, GSS-API at level integrity
 * and at level confidentiality), with a destination or peer at an IPv4 address, at an IPv6 address and by name: each cell
 * with data both ways, the replies' BND and the audit record to the octet. The network is the test's own.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { formatEndpoint } from "../../src/protocol/address.js";
import { CMD, REP } from "../../src/protocol/constants.js";
import { CommandClient, Datagrams, endpoint, WAYS, type Way } from "../support/command-client.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { Origin } from "../support/origin.js";
import { usersFile } from "../support/passwords.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { drink } from "../support/transfers.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const [FOUR, SIX, NAMED, NAME] = ["192.0.2.10", "2001:db8::10", "192.0.2.11", "peer.example.test"] as const;

const NETWORK = {
  ip: [FOUR, NAMED].map((address) => `addr add ${address}/32 dev lo`).concat(`addr add ${SIX}/128 dev lo`),
  hosts: { [NAME]: [NAMED] },
};

/** What the client says, where that is, and the rule that allows it, counted from 1. */
const DESTINATIONS: readonly [what: string, host: string, address: string, rule: number][] = [
  ["IPv4", FOUR, FOUR, 2],
  ["IPv6", SIX, SIX, 3],
  ["name", NAME, NAMED, 4],
];

const CONFIG = {
  listeners: [{ address: "127.0.0.1:0", methods: ["gssapi", "password", "none"] }],
  rules: [
    { deny: { to: ["203.0.113.0/24"] } },
    { allow: { to: [FOUR] } },
    { allow: { to: ["2001:db8::/32"] } },
    { allow: { to: [NAME] } },
  ],
};

/** Of the audit record. */
const IDENTITIES: Readonly<Record<Way, object>> = {
  "no authentication": { method: "none", principal: null, mechanism: null, level: null },
  password: { method: "password", principal: "carol", mechanism: null, level: null },
  integrity: { method: "gssapi", principal: "alice@EXAMPLE.TEST", mechanism: "krb5", level: "integrity" },
  confidentiality: {
    method: "gssapi",
    principal: "alice@EXAMPLE.TEST",
    mechanism: "krb5",
    level: "confidentiality",
  },
};

const [UP, DOWN] = [300_000, 200_000];

function body(seed: string, length: number): Buffer {
  return createHash("shake256", { outputLength: length }).update(seed).digest();
}

function sha256(octets: Buffer): string {
  return createHash("sha256").update(octets).digest("hex");
}

interface Cell {
  proxy: ProxyServer;
  way: Way;
  client: CommandClient;
  host: string;
  address: string;
  rule: number;
}

/** Both ways at once, each to its end. */
async function exchange({ client, way, host }: Cell, other: Socket): Promise<void> {
  const [up, down] = [body(`up, ${way}, ${host}`, UP), body(`down, ${way}, ${host}`, DOWN)];
  const arrived = drink(other);
  other.end(down);
  client.send(up);
  client.raw.socket.end();
  assert.equal(sha256(await client.readToEnd()), sha256(down));
  assert.deepEqual(await arrived, { octets: UP, sha256: sha256(up) });
}

async function assertAudited({ proxy, way, client }: Cell, expected: object): Promise<void> {
  const record = await proxy.audit((each) => each.client === client.address);
  const said = {
    listener: `127.0.0.1:${proxy.port}`,
    ...IDENTITIES[way],
    outcome: "completed",
    code: null,
    reason: "both sides ended",
    sealedUp: client.sealed.up,
    sealedDown: client.sealed.down,
    ...expected,
  };
  assert.deepEqual(Object.fromEntries(Object.keys(said).map((key) => [key, record[key]])), said);
}

type Command = (t: TestContext, cell: Cell) => Promise<void>;

const connectTo: Command = async (t, cell) => {
  const { client, host, address, rule } = cell;
  const origin = await Origin.start(() => {}, address);
  t.after(() => origin.stop());
  const reply = await client.ask(CMD.CONNECT, endpoint(host, origin.port));
  const socket = await origin.next();
  const bnd = endpoint(socket.remoteAddress as string, socket.remotePort as number);
  assert.deepEqual(reply, { rep: REP.SUCCEEDED, bnd });
  await exchange(cell, socket);
  await assertAudited(cell, {
    command: "connect",
    destination: formatEndpoint(endpoint(host, origin.port)),
    address: formatEndpoint(endpoint(address, origin.port)),
    rule,
    bytesUp: UP,
    bytesDown: DOWN,
  });
};

const bind: Command = async (t, cell) => {
  const { client, host, address, rule } = cell;
  const first = await client.ask(CMD.BIND, endpoint(host, 2121));
  const { port } = first.bnd;
  assert.notEqual(port, 0);
  // The proxy's address on the way to the peer, which is here the peer's own.
  assert.deepEqual(first, { rep: REP.SUCCEEDED, bnd: endpoint(address, port) });
  const peer = connect({ host: address, port, localAddress: address, allowHalfOpen: true });
  t.after(() => peer.destroy());
  await once(peer, "connect");
  const bnd = endpoint(address, peer.localPort as number);
  assert.deepEqual(await client.reply(), { rep: REP.SUCCEEDED, bnd });
  await exchange(cell, peer);
  await assertAudited(cell, {
    command: "bind",
    destination: formatEndpoint(endpoint(host, 2121)),
    address: formatEndpoint(bnd),
    rule,
    bytesUp: UP,
    bytesDown: DOWN,
  });
};

/** Answers with the SHA-256 of what comes, and that. */
async function hashingPeer(t: TestContext, address: string): Promise<Peer> {
  const peer = await Peer.bind(t, address);
  peer.socket.on("message", (data, from) => {
    const hash = createHash("sha256").update(data).digest();
    peer.socket.send([hash, data], from.port, from.address);
  });
  return peer;
}

const SIZES = [0, 1, 17, 100, 512, 1400, 4000, 9000, 30_000];

const associate: Command = async (t, cell) => {
  const { client, host, address, way } = cell;
  const destination = await hashingPeer(t, address);
  const ours = await Peer.bind(t);
  const announced = endpoint("127.0.0.1", ours.endpoint.port);
  const { rep, bnd } = await client.ask(CMD.UDP_ASSOCIATE, announced);
  assert.deepEqual([rep, bnd.host], [REP.SUCCEEDED, endpoint("127.0.0.1", 0).host]);
  const datagrams = new Datagrams(client, ours, bnd);
  const { port } = destination.endpoint;
  for (const size of SIZES) {
    const data = body(`${way}, ${host}`, size);
    await datagrams.send(endpoint(host, port), data);
    const answer = await datagrams.next();
    assert.deepEqual(answer.dst, destination.endpoint);
    assert.equal(answer.data.subarray(0, 32).toString("hex"), sha256(data));
    assert.equal(sha256(answer.data.subarray(32)), sha256(data));
  }
  client.raw.socket.end();
  assert.equal((await client.readToEnd()).length, 0);
  const octets = SIZES.reduce((sum, size) => sum + size, 0);
  await assertAudited(cell, {
    command: "udp-associate",
    destination: formatEndpoint(announced),
    address: null,
    rule: null,
    bytesUp: octets,
    bytesDown: octets + 32 * SIZES.length,
  });
};

const COMMANDS: Readonly<Record<string, Command>> = {
  CONNECT: connectTo,
  BIND: bind,
  "UDP ASSOCIATE": associate,
};

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("commands", async (t) => {
    const { proxy } = await proxiedRealm(t, async (realm) => ({
      ...CONFIG,
      passwords: { file: await usersFile(realm.dir) },
    }));
    for (const [command, run] of Object.entries(COMMANDS)) {
      for (const way of WAYS) {
        for (const [what, host, address, rule] of DESTINATIONS) {
          await t.test(`${command}, ${way}, ${what}`, async (t) => {
            const client = await CommandClient.ready(proxy, way);
            t.after(() => client.close());
            await run(t, { proxy, way, client, host, address, rule });
          });
        }
      }
    }
  });
});
