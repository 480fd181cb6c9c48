/**
 * What is tested: BIND through a server process (RFC 1928 §4, §6), in a network of the test's own. Who is let in: the peer
 * that DST.ADDR names, by address and by name, or whom the rules allow where it names nobody; strangers are reset and the
 * wait goes on. Which port is listened on, for how long, and that it is closed when the client goes, when the time is
 * over and when the server stops. Data that either side sends before it may.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type Endpoint, formatEndpoint } from "../../src/protocol/address.js";
import { CMD, REP } from "../../src/protocol/constants.js";
import { encodeRequest } from "../../src/protocol/request.js";
import { CommandClient, endpoint, WAYS, type Way } from "../support/command-client.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { usersFile } from "../support/passwords.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { type ProxyConfig, ProxyServer } from "../support/proxy.js";
import { fate, readAll } from "../unit/relay/loopback.js";

const [PROXY, PROXY_SIX, PEER, DENIED] = ["192.0.2.1", "2001:db8::1", "192.0.2.10", "192.0.2.66"] as const;
/** There is no way to it. */
const [FAR, FAR_SIX] = ["198.51.100.1", "2001:db8:ff::1"] as const;

const NETWORK = {
  ip: [
    ...[PROXY, PEER, DENIED].map((address) => `addr add ${address}/32 dev lo`),
    `addr add ${PROXY_SIX}/128 dev lo`,
  ],
  hosts: { "ftp.example.test": [FAR_SIX, PEER], "far.example.test": [FAR] },
};

const RULES = [
  { deny: { to: [DENIED] } },
  { allow: { to: ["0.0.0.0", "::"] } },
  { allow: { to: ["127.0.0.0/8"] } },
  { allow: {} },
];

const LISTENER = { address: "*:0", methods: ["gssapi", "password", "none"], acceptClearTextPasswords: true };

/** A client whose BIND is being waited for. */
interface Waiting {
  client: CommandClient;
  bnd: Endpoint;
}

interface WaitOptions {
  way?: Way;
  dst?: string;
  /** The proxy's address, where the client comes. */
  at?: string;
}

async function wait(t: TestContext, { port }: ProxyServer, options: WaitOptions = {}): Promise<Waiting> {
  const { way = "confidentiality", dst = "127.0.0.1", at = "127.0.0.1" } = options;
  const client = await CommandClient.ready({ host: at, port }, way);
  t.after(() => client.close());
  const { rep, bnd } = await client.ask(CMD.BIND, endpoint(dst, 20));
  assert.equal(rep, REP.SUCCEEDED);
  return { client, bnd };
}

/** A connection to where the client was told that the proxy listens. */
function knock(t: TestContext, { host, port }: Endpoint, from: string): Socket {
  assert.ok(host.kind !== "domain");
  const socket = connect({ host: host.address, port, localAddress: from, allowHalfOpen: true });
  t.after(() => socket.destroy());
  return socket;
}

async function assertClosed(t: TestContext, bnd: Endpoint, from = "127.0.0.1"): Promise<void> {
  assert.equal(await fate(knock(t, bnd, from)), "ECONNREFUSED");
}

/** The second reply, and octets both ways to the end. @returns the peer's address and port */
async function assertJoined({ client }: Waiting, peer: Socket): Promise<string> {
  const { localAddress = "", localPort = 0 } = peer;
  const bnd = endpoint(localAddress, localPort);
  assert.deepEqual(await client.reply(), { rep: REP.SUCCEEDED, bnd });
  client.send(Buffer.from("to the peer"));
  client.raw.socket.end();
  peer.end("to the client");
  assert.equal((await readAll(peer)).toString(), "to the peer");
  assert.equal((await client.readToEnd()).toString(), "to the client");
  return formatEndpoint(bnd);
}

/** What the audit record says of some keys. */
async function audited(proxy: ProxyServer, client: CommandClient, ...keys: string[]): Promise<unknown[]> {
  const record = await proxy.audit((each) => each.client === client.address);
  assert.equal(record.command, "bind");
  return keys.map((key) => record[key]);
}

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("who is let in", async (t) => {
    const { proxy } = await proxiedRealm(t, async (realm) => ({
      listeners: [LISTENER],
      passwords: { file: await usersFile(realm.dir) },
      rules: RULES,
    }));

    for (const way of WAYS) {
      await t.test(`the peer that was named, once; a stranger is reset: ${way}`, async (t) => {
        const waiting = await wait(t, proxy, { way });
        assert.equal(await fate(knock(t, waiting.bnd, "127.0.0.2")), "ECONNRESET");
        const peer = knock(t, waiting.bnd, "127.0.0.1");
        await once(peer, "connect");
        const address = await assertJoined(waiting, peer);
        await assertClosed(t, waiting.bnd);
        assert.deepEqual(await audited(proxy, waiting.client, "outcome", "destination", "address", "rule"), [
          "completed",
          "127.0.0.1:20",
          address,
          3,
        ]);
      });
    }

    const ANYBODY: readonly [dst: string, at: string, bnd: string, peer: string][] = [
      ["0.0.0.0", "127.0.0.1", "127.0.0.1", PEER],
      ["0.0.0.0", PROXY, PROXY, PEER],
      ["::", PROXY, PROXY, PEER],
      ["::", PROXY_SIX, PROXY_SIX, PROXY_SIX],
    ];
    for (const [dst, at, address, from] of ANYBODY) {
      await t.test(`${dst}, at ${at}: whom the rules allow, on the address the client came to`, async (t) => {
        const waiting = await wait(t, proxy, { dst, at });
        assert.deepEqual(waiting.bnd.host, endpoint(address, 0).host);
        if (!address.includes(":"))
          assert.equal(await fate(knock(t, waiting.bnd, DENIED)), "ECONNRESET", "denied by rule 1");
        const peer = knock(t, waiting.bnd, from);
        await once(peer, "connect");
        const peerAddress = await assertJoined(waiting, peer);
        // The rule that let the peer in, not the one for nobody's address.
        assert.deepEqual(await audited(proxy, waiting.client, "destination", "address", "rule"), [
          formatEndpoint(endpoint(dst, 20)),
          peerAddress,
          4,
        ]);
      });
    }

    await t.test("a name: on the way to that of its addresses that there is one to", async (t) => {
      const waiting = await wait(t, proxy, { dst: "ftp.example.test" });
      assert.deepEqual(waiting.bnd.host, endpoint(PEER, 0).host);
      assert.equal(await fate(knock(t, waiting.bnd, "127.0.0.1")), "ECONNRESET");
      const peer = knock(t, waiting.bnd, PEER);
      await once(peer, "connect");
      await assertJoined(waiting, peer);
      assert.deepEqual(await audited(proxy, waiting.client, "destination", "rule"), [
        "ftp.example.test:20",
        4,
      ]);
    });

    const REFUSED: readonly [
      what: string,
      dst: string,
      rep: number,
      outcome: string,
      code: string,
      reason: RegExp,
    ][] = [
      ["a denied peer", DENIED, REP.NOT_ALLOWED, "denied", "RULE_DENIED", /rule 1 denies 192\.0\.2\.66$/],
      ["no way there", FAR, REP.NETWORK_UNREACHABLE, "failed", "DESTINATION_REFUSED", /ENETUNREACH/],
      [
        "no way to a name",
        "far.example.test",
        REP.NETWORK_UNREACHABLE,
        "failed",
        "DESTINATION_REFUSED",
        /198\.51/,
      ],
      [
        "no such name",
        "no.example.test",
        REP.HOST_UNREACHABLE,
        "failed",
        "NAME_NOT_FOUND",
        /no\.example\.test/,
      ],
    ];
    for (const [what, dst, rep, outcome, code, reason] of REFUSED) {
      await t.test(`${what}: REP ${rep}, and no port`, async (t) => {
        const client = await CommandClient.ready(proxy, "integrity");
        t.after(() => client.close());
        assert.equal((await client.ask(CMD.BIND, endpoint(dst, 20))).rep, rep);
        assert.equal((await client.readToEnd()).length, 0);
        client.close();
        assert.deepEqual(await audited(proxy, client, "outcome", "code", "address"), [outcome, code, null]);
        const [said] = await audited(proxy, client, "reason");
        assert.match(String(said), reason);
      });
    }

    for (const way of WAYS) {
      await t.test(`data before the second reply is kept, and what is too much waits: ${way}`, async (t) => {
        const client = await CommandClient.ready(proxy, way);
        t.after(() => client.close());
        const early = createHash("shake256", { outputLength: 300_000 }).update(way).digest();
        // The first of it is in one message with the request.
        client.send(Buffer.concat([encodeRequest({ cmd: CMD.BIND, dst: endpoint(PEER, 20) }), early]));
        const { rep, bnd } = await client.reply();
        assert.equal(rep, REP.SUCCEEDED);
        const peer = knock(t, bnd, PEER);
        peer.end("220 ready");
        assert.equal((await client.reply()).rep, REP.SUCCEEDED);
        client.raw.socket.end();
        assert.ok((await readAll(peer)).equals(early));
        assert.equal((await client.readToEnd()).toString(), "220 ready");
        assert.deepEqual(
          await audited(proxy, client, "outcome", "bytesUp", "bytesDown", "sealedUp", "sealedDown"),
          ["completed", early.length, 9, client.sealed.up, client.sealed.down],
        );
      });
    }

    await t.test("a client that goes takes the port along", async (t) => {
      for (const [how, code] of [
        ["end", "CLOSED_EARLY"],
        ["vanish", "CONNECTION_LOST"],
      ] as const) {
        const { client, bnd } = await wait(t, proxy);
        if (how === "end") client.raw.socket.end();
        else client.raw.socket.resetAndDestroy();
        assert.deepEqual(await audited(proxy, client, "outcome", "code"), ["failed", code]);
        await assertClosed(t, bnd);
      }
    });
  });

  // Without a drain time the clients that are still there at the end don't keep the server.
  const started = async (t: TestContext, config: ProxyConfig, timeouts: object = {}) => {
    const fixed = { listeners: [LISTENER], rules: RULES, passwords: { kerberos: {} } };
    const { proxy } = await proxiedRealm(t, { ...fixed, ...config, timeouts: { drain: "0s", ...timeouts } });
    return proxy;
  };

  test("bind.ports: those and no others, and REP 1 when they are taken", async (t) => {
    const proxy = await started(t, { bind: { ports: "2100-2101" } });
    const [first, second] = [await wait(t, proxy), await wait(t, proxy)];
    assert.deepEqual([first.bnd.port, second.bnd.port].sort(), [2100, 2101]);
    const third = await CommandClient.ready(proxy, "confidentiality");
    t.after(() => third.close());
    assert.equal((await third.ask(CMD.BIND, endpoint("127.0.0.1", 20))).rep, REP.GENERAL_FAILURE);
    assert.deepEqual(await audited(proxy, third, "code", "reason"), [
      "BIND_FAILED",
      "can't listen on 127.0.0.1 ports 2100 to 2101: none of those tried is free",
    ]);
    // On another address it is another port.
    assert.ok([2100, 2101].includes((await wait(t, proxy, { dst: PEER })).bnd.port));
    first.client.close();
    await audited(proxy, first.client, "code");
    const again = await wait(t, proxy);
    assert.equal(again.bnd.port, first.bnd.port);
    // It is free as soon as a peer is there, too: the connection alone is left.
    const peer = knock(t, again.bnd, "127.0.0.1");
    await again.client.reply();
    assert.equal((await wait(t, proxy)).bnd.port, first.bnd.port);
    peer.destroy();
  });

  test("timeouts.bind: the second reply is REP 6, and the port is closed", async (t) => {
    const proxy = await started(t, {}, { bind: "500ms" });
    for (const way of ["no authentication", "integrity", "confidentiality"] as const) {
      const { client, bnd } = await wait(t, proxy, { way });
      const stranger = fate(knock(t, bnd, "127.0.0.2"));
      assert.deepEqual(await client.reply(), { rep: REP.TTL_EXPIRED, bnd: endpoint("0.0.0.0", 0) });
      assert.equal((await client.readToEnd()).length, 0);
      client.close();
      await assertClosed(t, bnd);
      assert.equal(await stranger, "ECONNRESET");
      assert.deepEqual(await audited(proxy, client, "outcome", "code", "reason", "address", "sealedDown"), [
        "failed",
        "BIND_TIMEOUT",
        `nobody who was expected connected to ${formatEndpoint(bnd)} within 0.5 s; connections from elsewhere, all reset: 1`,
        null,
        client.sealed.down,
      ]);
      const line = await proxy.waitForLog(
        (each) => each.msg === "session failed" && each.client === client.address,
      );
      assert.equal(line.step, "second reply");
    }
  });

  test("SIGTERM: the wait goes on until the drain time is over", async (t) => {
    const proxy = await started(t, {}, { drain: "1h" });
    const [joined, left] = [await wait(t, proxy), await wait(t, proxy)];
    proxy.signal("SIGTERM");
    assert.equal((await proxy.waitForLog(({ msg }) => msg === "draining")).sessions, 2);
    const peer = knock(t, joined.bnd, "127.0.0.1");
    await once(peer, "connect");
    await assertJoined(joined, peer);
    // The second signal stands for its end.
    proxy.signal("SIGTERM");
    assert.equal((await left.client.reply()).rep, REP.GENERAL_FAILURE);
    assert.equal((await left.client.readToEnd()).length, 0);
    left.client.close();
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
    await assertClosed(t, left.bnd);
    assert.deepEqual(await audited(proxy, joined.client, "outcome"), ["completed"]);
    assert.deepEqual(await audited(proxy, left.client, "code"), ["SERVER_STOPPED"]);
  });

  test("without a rule that names it, DST.ADDR 0.0.0.0 is nobody's", async (t) => {
    const { realm, proxy } = await proxiedRealm(t, { rules: [{ allow: {} }] });
    for (const [server, dst] of [
      [proxy, "0.0.0.0"],
      [proxy, "::"],
      [await ProxyServer.start(realm, { rules: [{ allow: { to: ["0.0.0.0/0"] } }] }), "0.0.0.0"],
    ] as const) {
      t.after(() => server.stop());
      const client = await CommandClient.ready(server, "confidentiality");
      t.after(() => client.close());
      assert.equal((await client.ask(CMD.BIND, endpoint(dst, 20))).rep, REP.NOT_ALLOWED);
      client.close();
      const [outcome, reason] = await audited(server, client, "outcome", "reason");
      assert.equal(outcome, "denied");
      assert.match(String(reason), /protected destination: unspecified/);
    }
  });
});
