// RFC 1928 §7 over real sockets: what is relayed, from whom, to whom, and what is dropped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { NetworkError, PolicyError } from "../../../src/errors.js";
import { type Endpoint, formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import { encodeUdpHeader } from "../../../src/protocol/udp-datagram.js";
import { CLEAR_DATAGRAMS, ContextDatagramProtection } from "../../../src/relay/datagram-protection.js";
import { ENCTYPES } from "../../support/enctypes.js";
import { hex } from "../protocol/hex.js";
import { allowAll, associate, Client, drops, endpoint, Peer } from "./datagram-peers.js";
import { contexts } from "./established-contexts.js";

/** Answers what it gets with the same in capitals; `last` is where that came from, an outer socket of the association. */
async function answer(destination: Peer, expected: string): Promise<Endpoint> {
  const { data, from } = await destination.next();
  assert.equal(data.toString(), expected);
  await destination.send(Buffer.from(expected.toUpperCase()), from);
  return from;
}

async function roundTrip(client: Client, destination: Peer, text: string, dst = destination.endpoint) {
  await client.send(dst, text);
  await answer(destination, text);
  assert.equal(await client.next(), `${formatEndpoint(destination.endpoint)} > ${text.toUpperCase()}`);
}

for (const enctype of ENCTYPES) {
  test(`IPv4, IPv6 and names under each level: ${enctype}`, async (t) => {
    const establish = await contexts(t, { enctypes: [enctype] });
    for (const level of ["none", "integrity", "confidentiality"] as const) {
      for (const host of ["127.0.0.1", "::1"]) {
        await t.test(`level ${level}, ${host}`, async (t) => {
          const { initiator, acceptor } = await establish();
          const [ours, theirs] =
            level === "none"
              ? [CLEAR_DATAGRAMS, CLEAR_DATAGRAMS]
              : [
                  new ContextDatagramProtection(acceptor, level),
                  new ContextDatagramProtection(initiator, level),
                ];
          const association = await associate(t, {
            address: host,
            client: { address: host, announced: endpoint("::", 0) },
            protection: ours,
            authorize: async (dst) => (dst.host.kind === "domain" ? [host] : [dst.host.address]),
          });
          const client = new Client(await Peer.bind(t, host), association.bnd, theirs);
          const [ipv4, ipv6] = [await Peer.bind(t, "127.0.0.1"), await Peer.bind(t, "::1")];
          await roundTrip(client, ipv4, "to ipv4");
          await roundTrip(client, ipv6, "to ipv6");
          const named = host === "::1" ? ipv6 : ipv4;
          await roundTrip(client, named, "to a name", endpoint("dns.test", named.endpoint.port));
          await roundTrip(client, ipv4, "");
          assert.deepEqual(association.carried, {
            up: { octets: 23, datagrams: 4 },
            down: { octets: 23, datagrams: 4 },
          });
          assert.deepEqual(drops(association), {});
        });
      }
    }
  });
}

test("the client", async (t) => {
  await t.test("is learnt from its first datagram when it announced 0.0.0.0:0", async (t) => {
    const association = await associate(t);
    const [first, second] = [await Peer.bind(t), await Peer.bind(t)];
    const destination = await Peer.bind(t);
    const client = new Client(first, association.bnd);
    await roundTrip(client, destination, "first");
    await new Client(second, association.bnd).send(destination.endpoint, "second");
    await roundTrip(client, destination, "again");
    assert.deepEqual(drops(association), { stranger: 1 });
  });

  await t.test("under protection, is not learnt from a datagram that is not its own", async (t) => {
    const establish = await contexts(t);
    const { initiator, acceptor } = await establish();
    const association = await associate(t, {
      protection: new ContextDatagramProtection(acceptor, "confidentiality"),
    });
    const destination = await Peer.bind(t);
    const stranger = new Client(await Peer.bind(t), association.bnd);
    await stranger.send(destination.endpoint, "in clear");
    await stranger.sendPlain(hex("01 03 00 02 05 04"));
    const theirs = new ContextDatagramProtection(initiator, "confidentiality");
    const client = new Client(await Peer.bind(t), association.bnd, theirs);
    await roundTrip(client, destination, "mine");
    assert.deepEqual(drops(association), { malformed: 1, "bad-token": 1 });
  });

  await t.test("sends from the port it announced", async (t) => {
    for (const host of ["127.0.0.1", "0.0.0.0"]) {
      const [first, second] = [await Peer.bind(t), await Peer.bind(t)];
      const announced = endpoint(host, second.endpoint.port);
      const association = await associate(t, { client: { address: "127.0.0.1", announced } });
      const destination = await Peer.bind(t);
      await new Client(first, association.bnd).send(destination.endpoint, "first");
      await roundTrip(new Client(second, association.bnd), destination, "second");
      assert.deepEqual(drops(association), { stranger: 1 });
    }
  });

  await t.test("behind a NAT announces what nobody sees, which is not held against it", async (t) => {
    for (const announced of [endpoint("192.168.1.5", 9), endpoint("client.test", 9)]) {
      const association = await associate(t, { client: { address: "127.0.0.1", announced } });
      await roundTrip(new Client(await Peer.bind(t), association.bnd), await Peer.bind(t), "natted");
    }
  });

  await t.test("sends from the address of its TCP connection, whatever it announced", async (t) => {
    const other = await Peer.bind(t, "127.0.0.2");
    const association = await associate(t, {
      client: { address: "::ffff:127.0.0.1", announced: other.endpoint },
    });
    const destination = await Peer.bind(t);
    await new Client(other, association.bnd).send(destination.endpoint, "other");
    await roundTrip(new Client(await Peer.bind(t), association.bnd), destination, "client");
    assert.deepEqual(drops(association), { stranger: 1 });
  });
});

test("fragments, and what is no datagram of RFC 1928, are dropped", async (t) => {
  const association = await associate(t);
  const client = new Client(await Peer.bind(t), association.bnd);
  const destination = await Peer.bind(t);
  const fragment = Buffer.concat([encodeUdpHeader(destination.endpoint), Buffer.from("fragment")]);
  for (const frag of [0x01, 0x7f, 0x80, 0xff]) {
    fragment[2] = frag;
    await client.sendPlain(fragment);
  }
  const malformed = [
    "",
    "00",
    "00 00 00",
    "00 00 00 01 7f 00 00 01 00", // Cut in its port.
    "00 00 00 01 7f 00 00 01 00 00 61", // Port 0.
    "00 01 00 01 7f 00 00 01 00 35 61", // RSV.
    "00 00 00 02 7f 00 00 01 00 35 61", // ATYP.
    "00 00 00 03 03 61 20 62 00 35 61", // A name with a space.
  ];
  for (const text of malformed) await client.sendPlain(hex(text));
  await roundTrip(client, destination, "whole");
  assert.deepEqual(drops(association), { fragment: 4, malformed: malformed.length });
});

test("replies", async (t) => {
  await t.test("come only from addresses and ports that the client has sent to", async (t) => {
    const association = await associate(t);
    const client = new Client(await Peer.bind(t), association.bnd);
    const [destination, otherPort, otherAddress] = [
      await Peer.bind(t),
      await Peer.bind(t),
      await Peer.bind(t, "127.0.0.2"),
    ];
    await client.send(destination.endpoint, "question");
    const outer = endpoint("127.0.0.1", (await destination.next()).from.port);
    await otherPort.send(Buffer.from("unasked"), outer);
    await otherAddress.send(Buffer.from("unasked"), outer);
    await destination.send(Buffer.from("answer"), outer);
    assert.equal(await client.next(), `${formatEndpoint(destination.endpoint)} > answer`);
    assert.deepEqual(drops(association), { unsolicited: 2 });
    await client.send(otherPort.endpoint, "asked");
    assert.equal((await otherPort.next()).from.port, outer.port, "one port for all destinations");
    await otherPort.send(Buffer.from("answer"), outer);
    assert.equal(await client.next(), `${formatEndpoint(otherPort.endpoint)} > answer`);
  });

  await t.test("come from anyone where that is wanted", async (t) => {
    const association = await associate(t, { fromAnyone: true });
    const client = new Client(await Peer.bind(t), association.bnd);
    const [destination, other] = [await Peer.bind(t), await Peer.bind(t, "127.0.0.2")];
    await client.send(destination.endpoint, "hello");
    const outer = endpoint("127.0.0.1", (await destination.next()).from.port);
    await other.send(Buffer.from("unasked"), outer);
    assert.equal(await client.next(), `${formatEndpoint(other.endpoint)} > unasked`);
  });

  await t.test("do not come when they are too large with their header", async (t) => {
    const association = await associate(t);
    const client = new Client(await Peer.bind(t), association.bnd);
    const destination = await Peer.bind(t);
    await client.send(destination.endpoint, "hello");
    const { from } = await destination.next();
    await destination.send(Buffer.alloc(65507, "x"), from);
    await destination.send(Buffer.alloc(65497, "x"), from);
    assert.equal((await client.next()).length, formatEndpoint(destination.endpoint).length + 3 + 65497);
    assert.deepEqual(drops(association), { "too-large": 1 });
  });
});

test("rules", async (t) => {
  await t.test("judge each new destination once, and its first datagram waits for them", async (t) => {
    const asked: string[] = [];
    const association = await associate(t, {
      async authorize(dst) {
        asked.push(formatEndpoint(dst));
        return allowAll(dst);
      },
    });
    const client = new Client(await Peer.bind(t), association.bnd);
    const [first, second] = [await Peer.bind(t), await Peer.bind(t)];
    for (const text of ["a", "b", "c"])
      for (const peer of [first, second]) await roundTrip(client, peer, text);
    assert.deepEqual(
      asked,
      [first, second].map((peer) => formatEndpoint(peer.endpoint)),
    );
  });

  await t.test("deny, and names do not resolve: dropped, and the association goes on", async (t) => {
    const destination = await Peer.bind(t);
    const association = await associate(t, {
      async authorize(dst) {
        if (dst.host.kind === "domain") throw new NetworkError("NAME_NOT_FOUND", "no such name");
        if (dst.port !== destination.endpoint.port) throw new PolicyError("RULE_DENIED", "denied");
        return [dst.host.address];
      },
    });
    const client = new Client(await Peer.bind(t), association.bnd);
    const denied = await Peer.bind(t);
    for (const text of ["1", "2", "3"]) await client.send(denied.endpoint, text);
    for (const text of ["1", "2"]) await client.send(endpoint("nowhere.test", 53), text);
    await roundTrip(client, destination, "allowed");
    assert.deepEqual(drops(association), { denied: 3, unreachable: 2 });
    assert.equal(denied.unread, 0);
  });
});

test("what can't be sent is dropped, and the association goes on", async (t) => {
  const destination = await Peer.bind(t);
  const { port } = destination.endpoint;
  const association = await associate(t, {
    authorize: async ({ host }) =>
      host.kind === "domain" ? ["255.255.255.255", "127.0.0.1"] : [host.address],
  });
  const client = new Client(await Peer.bind(t), association.bnd);
  // The kernel refuses a broadcast that was not asked for; nobody listens on the closed port.
  await client.send(endpoint("255.255.255.255", port), "broadcast");
  const closed = await Peer.bind(t);
  const nobody = closed.endpoint;
  await closed.close();
  await client.send(nobody, "to nobody");
  await roundTrip(client, destination, "to somebody");
  assert.deepEqual(drops(association), { unreachable: 1 });
  // A name whose first address can't be sent to is reached at its next.
  await roundTrip(client, destination, "first address is bad", endpoint("two.test", port));
  await roundTrip(client, destination, "and not tried again", endpoint("two.test", port));
  assert.deepEqual(drops(association), { unreachable: 1 });
});

test("bounds", async (t) => {
  await t.test("datagrams a second, each way", async (t) => {
    const limits = { destinations: 10, datagramsPerSecond: 20 };
    const association = await associate(t, { limits });
    const { carried, dropped } = association;
    const client = new Client(await Peer.bind(t), association.bnd);
    const destination = await Peer.bind(t);
    const begun = performance.now();
    /** As many at once as a second brings, and then as time brings them; the rest is dropped. */
    const bounded = async (amount: { datagrams: number }, sent: number, before: number) => {
      while (amount.datagrams + dropped.rate - before < sent) await nextTurn();
      const allowed = 20 + (20 * (performance.now() - begun)) / 1000;
      assert.ok(amount.datagrams >= 20 && amount.datagrams <= allowed, `${amount.datagrams} of ${allowed}`);
    };
    for (let number = 0; number < 200; number += 1) await client.send(destination.endpoint, "flood");
    await bounded(carried.up, 200, 0);
    const before = dropped.rate;
    const { from } = await destination.next();
    for (let number = 0; number < 200; number += 1) await destination.send(Buffer.from("flood"), from);
    await bounded(carried.down, 200, before);
  });

  await t.test("destinations: an answer from one that was forgotten is not wanted any more", async (t) => {
    const association = await associate(t, { limits: { destinations: 2, datagramsPerSecond: 1000 } });
    const client = new Client(await Peer.bind(t), association.bnd);
    const peers = [await Peer.bind(t), await Peer.bind(t), await Peer.bind(t)] as const;
    const outer: Endpoint[] = [];
    for (const peer of peers) {
      await client.send(peer.endpoint, "hello");
      outer.push((await peer.next()).from);
    }
    for (const [index, peer] of peers.entries())
      await peer.send(Buffer.from("answer"), outer[index] as Endpoint);
    for (const peer of peers.slice(1))
      assert.equal(await client.next(), `${formatEndpoint(peer.endpoint)} > answer`);
    assert.deepEqual(drops(association), { unsolicited: 1 });
  });
});

test("the port that the client is told", async (t) => {
  await t.test("is out of the range, and taken ones are passed over", async (t) => {
    const range: Peer[] = [await Peer.bind(t)];
    const first = Math.min((range[0] as Peer).endpoint.port, 65520);
    const ports = { first, last: first + 7 };
    for (let port = first; port <= ports.last; port += 1) {
      const taken = await Peer.bind(t, "127.0.0.1", port).catch(() => null);
      if (taken !== null) range.push(taken);
    }
    const free = range.at(-1) as Peer;
    const { port } = free.endpoint;
    await free.close();
    assert.equal((await associate(t, { ports })).bnd.port, port);
  });

  await t.test("none is left", async (t) => {
    const taken = (await Peer.bind(t)).endpoint.port;
    await assert.rejects(associate(t, { ports: { first: taken, last: taken } }), (error) => {
      assert.ok(error instanceof NetworkError);
      assert.equal(error.code, "UDP_BIND_FAILED");
      assert.match(error.message, new RegExp(`127.0.0.1, ports ${taken}-${taken}: all are in use`));
      return true;
    });
  });

  await t.test("comes with the advertised address", async (t) => {
    const association = await associate(t, { advertised: "198.51.100.7" });
    assert.deepEqual(association.bnd.host, parseHost("198.51.100.7"));
    const relay = endpoint("127.0.0.1", association.bnd.port);
    await roundTrip(new Client(await Peer.bind(t), relay), await Peer.bind(t), "through the NAT");
  });

  await t.test("of an IPv4 connection to an IPv6 listener", async (t) => {
    const association = await associate(t, { address: "::ffff:127.0.0.1" });
    assert.deepEqual(association.bnd.host, parseHost("127.0.0.1"));
  });
});

test("closed, it holds no socket, and what was under way comes to nothing", async (t) => {
  let judged: () => void = () => {};
  const judging = new Promise<void>((resolve) => {
    judged = resolve;
  });
  let asked: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const association = await associate(t, {
    async authorize(dst) {
      asked();
      await judging;
      return allowAll(dst);
    },
  });
  const { bnd } = association;
  const client = new Client(await Peer.bind(t), bnd);
  const destination = await Peer.bind(t);
  await client.send(destination.endpoint, "too late");
  await begun;
  association.close();
  association.close();
  judged();
  // The same port can be had at once.
  const next = await associate(t, { ports: { first: bnd.port, last: bnd.port } });
  await roundTrip(new Client(await Peer.bind(t), next.bnd), destination, "in time");
  assert.deepEqual(association.carried.up, { octets: 0, datagrams: 0 });
  assert.deepEqual(drops(association), {});
});
