// Our own end of a UDP association, against our relay: RFC 1928 §7 on the client's side, and how it ends.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { UdpAssociation } from "../../../src/client/udp-association.js";
import { type NetworkError, PeerError, UsageError } from "../../../src/errors.js";
import { UNSPECIFIED } from "../../../src/protocol/address.js";
import { CLEAR_DATAGRAMS, MAX_DATAGRAM } from "../../../src/relay/datagram-protection.js";
import { drops, endpoint, Peer } from "../relay/datagram-peers.js";
import { contexts } from "../relay/established-contexts.js";
import { socketPair } from "../relay/loopback.js";
import { Inbox, sessionWith, udpEnds } from "./udp-ends.js";

test("there and back, by address and by name, under each level", async (t) => {
  const establish = await contexts(t);
  for (const level of ["none", "integrity", "confidentiality"] as const) {
    const { association, relay } = await udpEnds(t, {
      pair: level === "none" ? null : { contexts: await establish(), level },
      relay: { authorize: async ({ host }) => [host.kind === "domain" ? "127.0.0.1" : host.address] },
    });
    const inbox = new Inbox(association);
    for (const host of ["127.0.0.1", "::1", "dns.test"]) {
      const destination = await Peer.bind(t, host === "::1" ? host : "127.0.0.1");
      const { port } = destination.endpoint;
      association.send(Buffer.from("question"), { host, port });
      const { data, from } = await destination.next();
      assert.equal(data.toString(), "question");
      await destination.send(Buffer.from("answer"), from);
      assert.deepEqual(await inbox.take(1), [`${host === "::1" ? host : "127.0.0.1"}:${port} > answer`]);
    }
    assert.deepEqual([drops(association), drops(relay)], [{}, {}]);
  }
});

test("0.0.0.0 as BND.ADDR is the proxy's address", async (t) => {
  const relay = await Peer.bind(t);
  const through = endpoint("0.0.0.0", relay.endpoint.port);
  const { association } = await udpEnds(t, { through });
  association.send(Buffer.from("x"), { host: "192.0.2.1", port: 1 });
  assert.equal((await relay.next()).data.toString("hex"), "00000001c0000201000178");
});

test("no address to send to is the proxy's fault", async (t) => {
  for (const relay of [UNSPECIFIED, endpoint("proxy.test", 1080)]) {
    const peer = await Peer.bind(t);
    const { theirs: control } = await socketPair(t);
    await assert.rejects(
      UdpAssociation.open({
        control,
        socket: peer.socket,
        session: sessionWith(relay),
        protection: CLEAR_DATAGRAMS,
      }),
      (error) => error instanceof PeerError && error.code === "BAD_BND",
    );
  }
});

test("what comes from elsewhere, and what is no answer, is not taken", async (t) => {
  const relay = await Peer.bind(t);
  const { association } = await udpEnds(t, { through: relay.endpoint });
  const inbox = new Inbox(association);
  association.send(Buffer.from("hello"), { host: "192.0.2.1", port: 1 });
  const { from } = await relay.next();
  await (await Peer.bind(t)).send(Buffer.from("00000001c0000201000178", "hex"), from);
  for (const text of ["", "00000101c0000201000178", "00000001c00002010001626f6f"])
    await relay.send(Buffer.from(text, "hex"), from);
  assert.deepEqual(await inbox.take(1), ["192.0.2.1:1 > boo"]);
  assert.deepEqual(drops(association), { malformed: 1, fragment: 1 });
});

test("what can't be sent is the caller's error", async (t) => {
  const establish = await contexts(t);
  const { association } = await udpEnds(t, { pair: { contexts: await establish(), level: "integrity" } });
  const code = (expected: string) => (error: unknown) =>
    error instanceof UsageError && error.code === expected;
  const to = { host: "127.0.0.1", port: 9 };
  assert.throws(() => association.send(Buffer.alloc(MAX_DATAGRAM - 10), to), code("TOO_LARGE"));
  assert.throws(
    () => association.send(Buffer.of(1), { host: "not a name", port: 9 }),
    code("BAD_DOMAIN_NAME"),
  );
  assert.throws(() => association.send(Buffer.of(1), { host: "127.0.0.1", port: 65536 }), code("BAD_PORT"));
  association.close();
  assert.throws(() => association.send(Buffer.of(1), to), code("CLOSED"));
});

test("it ends with its TCP connection, and the TCP connection with it", async (t) => {
  await t.test("closed by the caller", async (t) => {
    const { association, control } = await udpEnds(t);
    const closed = once(association, "close");
    const ended = once(control, "end");
    association.close();
    association.close();
    assert.deepEqual(await closed, [null]);
    await ended;
  });

  const table: [name: string, end: "end" | "resetAndDestroy" | "write", error: string][] = [
    ["ended by the proxy", "end", "CONNECTION_LOST"],
    ["reset", "resetAndDestroy", "CONNECTION_LOST"],
    ["the proxy says something behind its reply", "write", "UNEXPECTED_MESSAGE"],
  ];
  for (const [name, end, code] of table) {
    await t.test(name, async (t) => {
      const { association, control } = await udpEnds(t);
      control.on("error", () => {});
      const closed = once(association, "close");
      if (end === "write") control.write("more");
      else control[end]();
      const [error] = (await closed) as [PeerError | NetworkError];
      assert.equal(error.code, code);
    });
  }
});
