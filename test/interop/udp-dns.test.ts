// Real DNS through a UDP association: a resolver that others wrote (c-ares, Node's own) asks a server that others wrote
// (dnsmasq), under each level; the rules decide which server may be asked.
import assert from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { HostPort } from "../../src/client/handshake.js";
import type { UdpAssociation } from "../../src/client/udp-association.js";
import type { Endpoint } from "../../src/protocol/address.js";
import { authorize } from "../../src/server/authorize.js";
import { type DnsServer, startDnsServer } from "../support/dns-server.js";
import { ENCTYPES } from "../support/enctypes.js";
import { udpEnds } from "../unit/client/udp-ends.js";
import { ruleset } from "../unit/policy/rules.js";
import { drops } from "../unit/relay/datagram-peers.js";
import { contexts } from "../unit/relay/established-contexts.js";

const RECORDS = [
  "host-record=db.example.test,192.0.2.53,2001:db8::53",
  "txt-record=db.example.test,kept in the cellar",
  ...Array.from({ length: 100 }, (_, number) => `host-record=host${number}.example.test,192.0.2.${number}`),
];

/** A port that a resolver takes for a DNS server: what it gets goes through the association to `server`. */
async function forwarder(test: TestContext, association: UdpAssociation, server: HostPort): Promise<string> {
  const socket = createSocket("udp4");
  test.after(() => socket.close());
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  // A DNS message begins with the ID that its answer has, too.
  const askers = new Map<number, RemoteInfo>();
  socket.on("message", (query, asker) => {
    askers.set(query.readUInt16BE(0), asker);
    association.send(query, server);
  });
  association.on("message", (response: Buffer, from: HostPort) => {
    assert.deepEqual(from, { host: server.host, port: server.port });
    const asker = askers.get(response.readUInt16BE(0));
    assert.ok(asker !== undefined, "an answer to no question");
    socket.send(response, asker.port, asker.address);
  });
  return `127.0.0.1:${socket.address().port}`;
}

function resolverOf(server: string): Resolver {
  const resolver = new Resolver({ timeout: 10_000, tries: 2 });
  resolver.setServers([server]);
  return resolver;
}

test("DNS over UDP ASSOCIATE", async (t) => {
  const dns: DnsServer = await startDnsServer(t, RECORDS);
  const { ruleset: rules } = ruleset([["allow", `${dns.address}:${dns.port}`]]);
  const relay = { authorize: async (dst: Endpoint) => [...(await authorize(rules, dst, "gssapi")).keys()] };
  const server = { host: dns.address, port: dns.port };

  for (const enctype of ENCTYPES) {
    await t.test(enctype, async (t) => {
      const establish = await contexts(t, { enctypes: [enctype] });
      for (const level of ["none", "integrity", "confidentiality"] as const) {
        await t.test(`level ${level}`, async (t) => {
          const pair = level === "none" ? null : { contexts: await establish(), level };
          const ends = await udpEnds(t, { pair, relay });
          const resolver = resolverOf(await forwarder(t, ends.association, server));
          assert.deepEqual(await resolver.resolve4("db.example.test"), ["192.0.2.53"]);
          assert.deepEqual(await resolver.resolve6("db.example.test"), ["2001:db8::53"]);
          assert.deepEqual(await resolver.resolveTxt("db.example.test"), [["kept in the cellar"]]);
          await assert.rejects(resolver.resolve4("nowhere.example.test"), { code: "ENOTFOUND" });
          const numbers = Array.from({ length: 100 }, (_, number) => number);
          const found = await Promise.all(
            numbers.map((number) => resolver.resolve4(`host${number}.example.test`)),
          );
          assert.deepEqual(
            found.flat(),
            numbers.map((number) => `192.0.2.${number}`),
          );
          assert.deepEqual([drops(ends.relay), drops(ends.association)], [{}, {}]);
        });
      }
    });
  }

  await t.test("a server that no rule allows is not asked", async (t) => {
    const ends = await udpEnds(t, { relay });
    const other = { host: "127.0.0.1", port: dns.port };
    const resolver = resolverOf(await forwarder(t, ends.association, other));
    const asked = assert.rejects(resolver.resolve4("db.example.test"), { code: "ECANCELLED" });
    while (ends.relay.dropped.denied === 0) await nextTurn();
    resolver.cancel();
    await asked;
    assert.equal(ends.relay.carried.up.datagrams, 0);
  });
});
