// Real DNS through a server process's UDP association: a resolver that others wrote (c-ares, Node's own) asks a server that
// others wrote (dnsmasq), under each level; the rules decide which server may be asked.
import assert from "node:assert/strict";
import { createSocket, type RemoteInfo } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { HostPort } from "../../src/client/handshake.js";
import { type ProtectionLevel, type UdpAssociation, udpAssociate } from "../../src/index.js";
import { type DnsServer, startDnsServer } from "../support/dns-server.js";
import { ENCTYPES } from "../support/enctypes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { drops } from "../unit/relay/datagram-peers.js";

const LEVELS = ["confidentiality", "integrity", "none"] as const;

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

for (const enctype of ENCTYPES) {
  test(`DNS over UDP ASSOCIATE: ${enctype}`, async (t) => {
    const dns: DnsServer = await startDnsServer(t, RECORDS);
    const server = { host: dns.address, port: dns.port };
    const config = {
      gssapi: { protectionLevels: [...LEVELS] },
      rules: [{ allow: { to: [`${dns.address}:${dns.port}`] } }],
    };
    const { proxy } = await proxiedRealm(t, config, { enctypes: [enctype] });
    const associate = async (t: TestContext, level: ProtectionLevel) => {
      const association = await udpAssociate({
        proxy: { host: "localhost", port: proxy.port },
        levels: [level],
      });
      t.after(() => association.close());
      return association;
    };

    for (const level of LEVELS) {
      await t.test(`level ${level}`, async (t) => {
        const association = await associate(t, level);
        const resolver = resolverOf(await forwarder(t, association, server));
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
        assert.deepEqual(drops(association), {});
        association.close();
        const record = await proxy.audit((each) => each.level === level);
        const closed = await proxy.waitForLog(
          ({ msg, session }) => msg === "association closed" && session === record.session,
        );
        assert.deepEqual(closed.dropped, {});
      });
    }

    await t.test("a server that no rule allows is not asked", async (t) => {
      const association = await associate(t, "confidentiality");
      const other = { host: "127.0.0.1", port: dns.port };
      const resolver = resolverOf(await forwarder(t, association, other));
      const asked = assert.rejects(resolver.resolve4("db.example.test"), { code: "ECANCELLED" });
      const line = await proxy.waitForLog(({ msg }) => msg === "destination refused");
      assert.deepEqual([line.destination, line.code], [`127.0.0.1:${dns.port}`, "RULE_DENIED"]);
      resolver.cancel();
      await asked;
      association.close();
      const record = await proxy.audit(({ session }) => session === line.session);
      assert.deepEqual([record.bytesUp, record.bytesDown], [0, 0]);
    });
  });
}
