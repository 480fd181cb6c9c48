/**
 * What is tested: UDP ASSOCIATE through a server process (RFC 1928 §7), in a network of the test's own: whose datagrams
 * are relayed and whose answers, what the client is told to send to, how each destination is judged and what the log says
 * of those refused, the bounds, and every way in which an association ends. Levels and names are in commands.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Endpoint, formatEndpoint } from "../../src/protocol/address.js";
import { CMD, REP } from "../../src/protocol/constants.js";
import { CommandClient, Datagrams, endpoint, type Way } from "../support/command-client.js";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine, ProxyConfig, ProxyServer } from "../support/proxy.js";
import { Peer } from "../unit/relay/datagram-peers.js";

const [PROXY, PROXY_SIX, FRIEND, DENIED] = ["192.0.2.1", "2001:db8::1", "192.0.2.10", "192.0.2.66"] as const;

const NETWORK = {
  ip: [
    ...[PROXY, FRIEND, DENIED].map((address) => `addr add ${address}/32 dev lo`),
    `addr add ${PROXY_SIX}/128 dev lo`,
  ],
  hosts: { "denied.example.test": [DENIED], "www.bank.test": [FRIEND] },
};

const CONFIG = {
  listeners: [{ address: "*:0", methods: ["gssapi", "none"] }],
  rules: [{ deny: { to: [DENIED, "*.bank.test"] } }, { allow: { to: ["127.0.0.0/8"] } }, { allow: {} }],
};

/** Without a drain time the clients that are still there at the end don't keep the server. */
async function start(t: TestContext, config: ProxyConfig = {}, timeouts: object = {}): Promise<ProxyServer> {
  const { proxy } = await proxiedRealm(t, { ...CONFIG, ...config, timeouts: { drain: "0s", ...timeouts } });
  return proxy;
}

/** Sends back what comes. */
async function echo(t: TestContext, host = "127.0.0.1"): Promise<Peer> {
  const peer = await Peer.bind(t, host);
  peer.socket.on("message", (data, { address, port }) => peer.socket.send(data, port, address));
  return peer;
}

/** A client's end of an association. */
class Ends {
  readonly proxy: ProxyServer;
  readonly client: CommandClient;
  readonly bnd: Endpoint;
  readonly datagrams: Datagrams;

  constructor(proxy: ProxyServer, client: CommandClient, bnd: Endpoint, datagrams: Datagrams) {
    this.proxy = proxy;
    this.client = client;
    this.bnd = bnd;
    this.datagrams = datagrams;
  }

  send(dst: Endpoint, text: string): Promise<void> {
    return this.datagrams.send(dst, Buffer.from(text));
  }

  /** The next datagram, as `host:port > data`. */
  async next(): Promise<string> {
    const { dst, data } = await this.datagrams.next();
    return `${formatEndpoint(dst)} > ${data}`;
  }

  /** A datagram to an echo and back; nothing else may come before. */
  async assertEchoes(to: Endpoint, text = "and back"): Promise<void> {
    await this.send(to, text);
    assert.equal(await this.next(), `${formatEndpoint(to)} > ${text}`);
  }

  /** Ends it in good order. @returns the drops by reason */
  async end(): Promise<unknown> {
    this.client.raw.socket.end();
    assert.equal((await this.client.readToEnd()).length, 0);
    const { outcome } = await this.audited();
    assert.equal(outcome, "completed");
    return (await this.line("association closed")).dropped;
  }

  line(msg: string): Promise<LogLine> {
    return this.proxy.waitForLog((each) => each.msg === msg && each.client === this.client.address);
  }

  async audited(): Promise<LogLine> {
    const record = await this.proxy.audit(({ client }) => client === this.client.address);
    assert.equal(record.command, "udp-associate");
    return record;
  }

  /** The relay's port is closed: the kernel says so. */
  async assertClosed(t: TestContext): Promise<void> {
    const { host, port } = this.bnd;
    assert.ok(host.kind !== "domain");
    const { socket } = await Peer.bind(t, host.kind === "ipv6" ? "::1" : "127.0.0.1");
    socket.connect(port, host.address);
    await once(socket, "connect");
    const failed = once(socket, "error");
    socket.send("too late");
    assert.equal((await failed)[0].code, "ECONNREFUSED");
  }
}

interface AssociateOptions {
  way?: Way;
  /** The proxy's address, where the client comes. */
  at?: string;
  /** DST of the request; default 0.0.0.0:0. */
  announced?: (own: Endpoint) => Endpoint;
  /** Our own address; default 127.0.0.1. */
  from?: string;
}

async function associate(t: TestContext, proxy: ProxyServer, options: AssociateOptions = {}): Promise<Ends> {
  const { way = "confidentiality", at = "127.0.0.1", from = "127.0.0.1" } = options;
  const { announced = () => endpoint("0.0.0.0", 0) } = options;
  const client = await CommandClient.ready({ host: at, port: proxy.port }, way, from);
  t.after(() => client.close());
  const peer = await Peer.bind(t, from);
  const { rep, bnd } = await client.ask(CMD.UDP_ASSOCIATE, announced(peer.endpoint));
  assert.equal(rep, REP.SUCCEEDED);
  return new Ends(proxy, client, bnd, new Datagrams(client, peer, bnd));
}

inNetworkNamespace(import.meta.url, NETWORK, () => {
  test("whose datagrams are relayed", async (t) => {
    const proxy = await start(t);
    const { endpoint: destination } = await echo(t);
    const ANNOUNCED: readonly [what: string, announced: (own: Endpoint) => Endpoint, learns: boolean][] = [
      ["its address and port", (own) => own, false],
      ["no address and its port", ({ port }) => endpoint("0.0.0.0", port), false],
      ["nothing", () => endpoint("0.0.0.0", 0), true],
      ["nothing, in IPv6", () => endpoint("::", 0), true],
      ["what a NAT hides", ({ port }) => endpoint("203.0.113.9", port + 1), true],
      ["a name", () => endpoint("client.example.test", 0), true],
    ];
    for (const way of ["no authentication", "integrity"] as const) {
      for (const [what, announced, learns] of ANNOUNCED) {
        await t.test(`${way}: the client announces ${what}`, async (t) => {
          const ends = await associate(t, proxy, { way, announced });
          const [port, address] = [await Peer.bind(t), await Peer.bind(t, FRIEND)];
          // Before the client's first: from its address alone, where the port is to be learnt, or from another one.
          if (!learns)
            await port.send(ends.client.datagram(destination, Buffer.from("other port")), ends.bnd);
          else if (way === "integrity") await port.send(Buffer.from("no token"), ends.bnd);
          await address.send(ends.client.datagram(destination, Buffer.from("other address")), ends.bnd);
          await ends.assertEchoes(destination);
          // And behind it.
          await port.send(ends.client.datagram(destination, Buffer.from("late")), ends.bnd);
          await ends.assertEchoes(destination);
          assert.deepEqual([port.unread, address.unread], [0, 0]);
          const taken = learns && way === "integrity" ? { malformed: 1 } : {};
          assert.deepEqual(await ends.end(), { stranger: learns ? 2 : 3, ...taken });
          assert.equal((await ends.audited()).bytesUp, 2 * "and back".length);
        });
      }
    }
  });

  test("where the client is told to send to", async (t) => {
    await t.test("the address that it came to", async (t) => {
      const proxy = await start(t);
      const { endpoint: destination } = await echo(t, PROXY_SIX);
      for (const [at, from] of [
        ["127.0.0.1", "127.0.0.1"],
        [PROXY, FRIEND],
        [PROXY_SIX, PROXY_SIX],
      ] as const) {
        const ends = await associate(t, proxy, { at, from });
        assert.deepEqual(ends.bnd.host, endpoint(at, 0).host);
        await ends.assertEchoes(destination);
        assert.deepEqual(await ends.end(), {});
      }
    });

    await t.test("udp.advertise: what the configuration says", async (t) => {
      const proxy = await start(t, { udp: { advertise: "203.0.113.5" } });
      const { endpoint: destination } = await echo(t);
      const { client, bnd, datagrams } = await associate(t, proxy);
      assert.deepEqual(bnd.host, endpoint("203.0.113.5", 0).host);
      // The NAT's part: from there to the proxy.
      const ends = new Ends(
        proxy,
        client,
        bnd,
        new Datagrams(client, datagrams.peer, endpoint("127.0.0.1", bnd.port)),
      );
      await ends.assertEchoes(destination);
    });

    await t.test("udp.ports: one of those, and REP 1 when they are taken", async (t) => {
      const proxy = await start(t, { udp: { ports: "2100-2101" } });
      const { endpoint: destination } = await echo(t);
      const [first, second] = [await associate(t, proxy), await associate(t, proxy)];
      assert.deepEqual([first.bnd.port, second.bnd.port].sort(), [2100, 2101]);
      const third = await CommandClient.ready(proxy, "confidentiality");
      t.after(() => third.close());
      const { rep } = await third.ask(CMD.UDP_ASSOCIATE, endpoint("0.0.0.0", 0));
      assert.equal(rep, REP.GENERAL_FAILURE);
      const record = await proxy.audit((each) => each.client === third.address);
      assert.deepEqual(
        [record.code, record.reason],
        ["UDP_BIND_FAILED", "no UDP socket can be had on 127.0.0.1, ports 2100-2101: all are in use"],
      );
      await second.assertEchoes(destination);
      await first.end();
      assert.equal((await associate(t, proxy)).bnd.port, first.bnd.port);
    });
  });

  test("each destination is judged", async (t) => {
    const proxy = await start(t);
    const { endpoint: destination } = await echo(t);
    const refused = (ends: Ends) =>
      proxy
        .log()
        .filter(({ msg, client }) => msg === "destination refused" && client === ends.client.address);

    await t.test("an allowed one leaves one line of the log", async (t) => {
      const ends = await associate(t, proxy);
      await ends.assertEchoes(destination);
      await ends.assertEchoes(destination);
      await ends.end();
      const lines = proxy
        .log()
        .filter(({ msg, client }) => msg === "destination allowed" && client === ends.client.address);
      const { host, port } = destination;
      const address = host.kind === "domain" ? host.name : host.address;
      assert.deepEqual(
        lines.map((line) => [line.principal, line.destination, line.address, line.rule]),
        [["alice@EXAMPLE.TEST", `${address}:${port}`, address, 2]],
      );
    });

    await t.test("a refused one costs its datagrams alone, and one line of the log", async (t) => {
      const REFUSED: readonly [host: string, code: string, reason: RegExp][] = [
        [DENIED, "RULE_DENIED", /^192\.0\.2\.66:53 is denied: rule 1 denies 192\.0\.2\.66$/],
        [
          "denied.example.test",
          "RULE_DENIED",
          /^denied\.example\.test:53 is denied: rule 1 denies 192\.0\.2\.66$/,
        ],
        ["www.bank.test", "RULE_DENIED", /rule 1 denies \*\.bank\.test$/],
        ["169.254.169.254", "RULE_DENIED", /protected destination: link-local/],
        ["no.example.test", "NAME_NOT_FOUND", /no\.example\.test/],
      ];
      const ends = await associate(t, proxy);
      const targets = [await Peer.bind(t, DENIED, 53), await Peer.bind(t, FRIEND, 53)];
      for (const [host, code, reason] of REFUSED) {
        for (let count = 0; count < 3; count += 1) await ends.send(endpoint(host, 53), "let me in");
        const line = await proxy.waitForLog(({ destination }) => destination === `${host}:53`);
        const { severity, msg, session, client, principal, untold } = line;
        assert.deepEqual(
          { severity, msg, session, client, principal, code: line.code, untold },
          {
            severity: "warn",
            msg: "destination refused",
            session: (await ends.line("session opened")).session,
            client: ends.client.address,
            principal: "alice@EXAMPLE.TEST",
            code,
            untold: 0,
          },
        );
        assert.match(String(line.reason), reason);
        await ends.assertEchoes(destination);
      }
      // Of the three to a name that is being looked up, two wait and the third is dropped.
      const { denied, unreachable, backlog = 0, ...others } = (await ends.end()) as Record<string, number>;
      assert.deepEqual(others, {});
      assert.equal(Number(denied) + Number(unreachable) + backlog, 3 * REFUSED.length);
      assert.equal(refused(ends).length, REFUSED.length);
      assert.deepEqual(
        targets.map(({ unread }) => unread),
        [0, 0],
      );
    });

    await t.test("a flood of refused ones is told of ten times a second, and all are counted", async (t) => {
      const ends = await associate(t, proxy);
      const began = performance.now();
      for (let port = 1; port <= 300; port += 1) {
        await ends.send(endpoint(DENIED, port), "let me in");
        // So that none is lost on the way.
        if (port % 20 === 0) await ends.assertEchoes(destination);
      }
      const seconds = (performance.now() - began) / 1000;
      assert.deepEqual(await ends.end(), { denied: 300 });
      const lines = refused(ends);
      assert.ok(lines.length <= 10 * seconds + 11, `${lines.length} lines in ${seconds} s`);
      assert.equal(lines.length + lines.reduce((sum, { untold }) => sum + Number(untold), 0), 300);
    });
  });

  test("whose answers are relayed", async (t) => {
    for (const fromAnyone of [false, true]) {
      await t.test(`udp.fromAnyone: ${fromAnyone}`, async (t) => {
        const proxy = await start(t, { udp: { fromAnyone } });
        const ends = await associate(t, proxy);
        const [asked, other] = [await Peer.bind(t), await Peer.bind(t, FRIEND)];
        await ends.send(asked.endpoint, "question");
        const { from: outer } = await asked.next();
        const there = endpoint("127.0.0.1", outer.port);
        await other.send(Buffer.from("unasked"), there);
        await asked.send(Buffer.from("answer"), there);
        if (fromAnyone) assert.equal(await ends.next(), `${formatEndpoint(other.endpoint)} > unasked`);
        assert.equal(await ends.next(), `${formatEndpoint(asked.endpoint)} > answer`);
        assert.deepEqual(await ends.end(), fromAnyone ? {} : { unsolicited: 1 });
        assert.equal((await ends.audited()).bytesDown, "answer".length + (fromAnyone ? "unasked".length : 0));
      });
    }
  });

  test("bounds", async (t) => {
    await t.test(
      "udp.destinations: the one used least recently is forgotten, and not heard any more",
      async (t) => {
        const proxy = await start(t, { udp: { destinations: 2 } });
        const ends = await associate(t, proxy);
        const peers = [await Peer.bind(t), await Peer.bind(t), await Peer.bind(t)] as const;
        const [first, second, third] = peers;
        let there = endpoint("127.0.0.1", 0);
        for (const peer of peers) {
          await ends.send(peer.endpoint, "question");
          there = endpoint("127.0.0.1", (await peer.next()).from.port);
        }
        for (const peer of peers) await peer.send(Buffer.from("answer"), there);
        assert.equal(await ends.next(), `${formatEndpoint(second.endpoint)} > answer`);
        assert.equal(await ends.next(), `${formatEndpoint(third.endpoint)} > answer`);
        await ends.send(first.endpoint, "again");
        await first.next();
        await first.send(Buffer.from("answer"), there);
        assert.equal(await ends.next(), `${formatEndpoint(first.endpoint)} > answer`);
        assert.deepEqual(await ends.end(), { unsolicited: 1 });
      },
    );

    await t.test("udp.datagramsPerSecond: more are dropped", async (t) => {
      const proxy = await start(t, { udp: { datagramsPerSecond: 5 } });
      const ends = await associate(t, proxy);
      const [{ endpoint: silent }, { endpoint: answering }] = [await Peer.bind(t), await echo(t)];
      const began = performance.now();
      let sent = 0;
      for (; sent < 60; sent += 1) await ends.send(silent, "flood");
      // Until the very last one is answered, so that none is still on its way.
      for (let answer: Promise<string> | null = null; ; ) {
        sent += 1;
        await ends.send(answering, `the last of ${sent}`);
        answer ??= ends.next();
        const text = await Promise.race([answer, delay(250, "")]);
        if (text.endsWith(` ${sent}`)) break;
        if (text !== "") answer = null;
      }
      const { rate, ...others } = (await ends.end()) as Record<string, number>;
      const seconds = (performance.now() - began) / 1000;
      assert.deepEqual(others, {});
      const relayed = Number((await ends.line("association closed")).datagramsUp);
      assert.equal(relayed + Number(rate), sent);
      assert.ok(relayed >= 5 && relayed <= 5 * seconds + 6, `${relayed} in ${seconds} s`);
    });
  });

  test("how it ends", async (t) => {
    const CUT = { octets: Buffer.alloc(0), how: "reset" } as const;

    await t.test("with its TCP connection, whatever is said there before", async (t) => {
      const proxy = await start(t);
      const { endpoint: destination } = await echo(t);
      for (const way of ["no authentication", "confidentiality"] as const) {
        const ended = await associate(t, proxy, { way });
        await ended.assertEchoes(destination);
        // Sealed it would have a sequence number of its own: nobody looks.
        ended.client.raw.send(Buffer.from("not for anybody"));
        await ended.assertEchoes(destination);
        assert.deepEqual(await ended.end(), {});
        await ended.assertClosed(t);

        const vanished = await associate(t, proxy, { way });
        await vanished.assertEchoes(destination);
        vanished.client.raw.socket.resetAndDestroy();
        const { outcome, code, bytesUp } = await vanished.audited();
        assert.deepEqual([outcome, code, bytesUp], ["failed", "CONNECTION_LOST", "and back".length]);
        await vanished.assertClosed(t);

        // At once behind the request: there is nothing to be told to.
        const hasty = await CommandClient.ready(proxy, way);
        const asked = hasty.ask(CMD.UDP_ASSOCIATE, endpoint("0.0.0.0", 0));
        hasty.raw.socket.end();
        await asked;
        assert.equal((await hasty.readToEnd()).length, 0);
        hasty.close();
        const record = await proxy.audit((each) => each.client === hasty.address);
        assert.equal(record.outcome, "completed");
      }
    });

    await t.test("the bandwidth of the rule that allows a destination, and of no other", async (t) => {
      const bandwidth = (direction: string) => ({ [direction]: "1kB/s" });
      const proxy = await start(t, {
        rules: [
          { allow: { to: ["127.0.0.1"] }, bandwidth: bandwidth("up") },
          { allow: { to: ["127.0.0.2"] }, bandwidth: bandwidth("down") },
          { allow: { to: ["127.0.0.3"] } },
        ],
      });
      const [up, down, free] = [await echo(t), await Peer.bind(t, "127.0.0.2"), await echo(t, "127.0.0.3")];
      const data = Buffer.alloc(500);
      down.socket.on("message", (_, { address, port }) => {
        for (let each = 0; each < 10; each += 1) down.socket.send(data, port, address);
      });
      const ends = await associate(t, proxy);
      const burst = async (to: Endpoint, count: number) => {
        for (let each = 0; each < count; each += 1) await ends.datagrams.send(to, data);
      };
      const heard = new Map<string, number>();
      const hear = async (from: Endpoint, count: number) => {
        const key = formatEndpoint(from);
        while ((heard.get(key) ?? 0) < count) {
          const next = formatEndpoint((await ends.datagrams.next()).dst);
          heard.set(next, (heard.get(next) ?? 0) + 1);
        }
      };
      // What came behind the first of each has been looked at when the last echo is there: they come in order.
      await burst(up.endpoint, 10);
      await hear(up.endpoint, 1);
      await burst(down.endpoint, 1);
      await hear(down.endpoint, 1);
      for (let each = 1; each <= 20; each += 1) {
        await burst(free.endpoint, 1);
        await hear(free.endpoint, each);
      }
      const dropped = (await ends.end()) as { rate: number };
      const [fromClient, toClient] = [up, down].map((peer) => heard.get(formatEndpoint(peer.endpoint)) ?? 0);
      assert.ok(Number(fromClient) < 10 && Number(toClient) < 10, `${fromClient} and ${toClient} of 10`);
      assert.equal(dropped.rate, 20 - Number(fromClient) - Number(toClient));
    });

    await t.test("timeouts.idle", async (t) => {
      const proxy = await start(t, {}, { idle: "1s" });
      const { endpoint: destination } = await echo(t);
      const ends = await associate(t, proxy);
      await ends.assertEchoes(destination);
      // What is dropped does not keep it.
      const dropped = setInterval(() => void ends.datagrams.peer.send(Buffer.from("no token"), ends.bnd), 50);
      t.after(() => clearInterval(dropped));
      assert.deepEqual(await ends.client.raw.farewell(), CUT);
      clearInterval(dropped);
      const { outcome, code, reason, duration } = await ends.audited();
      assert.deepEqual([outcome, code, reason], ["failed", "IDLE_TIMEOUT", "nothing was carried for 1 s"]);
      assert.ok(Number(duration) >= 1);
      await ends.assertClosed(t);
    });

    await t.test("timeouts.total, however busy it is", async (t) => {
      const proxy = await start(t, {}, { idle: "30s", total: "1s" });
      const { endpoint: destination } = await echo(t);
      const ends = await associate(t, proxy);
      let over = false;
      const farewell = ends.client.raw.farewell().finally(() => {
        over = true;
      });
      while (!over) {
        await ends.send(destination, "busy");
        await delay(20);
      }
      assert.deepEqual(await farewell, CUT);
      const { outcome, code, bytesUp } = await ends.audited();
      assert.deepEqual([outcome, code], ["failed", "TOTAL_TIMEOUT"]);
      assert.ok(Number(bytesUp) > 0);
      await ends.assertClosed(t);
    });

    await t.test("SIGTERM: it goes on until the drain time is over", async (t) => {
      const proxy = await start(t, {}, { drain: "1h" });
      const { endpoint: destination } = await echo(t);
      const [ended, cut] = [await associate(t, proxy), await associate(t, proxy)];
      proxy.signal("SIGTERM");
      assert.equal((await proxy.waitForLog(({ msg }) => msg === "draining")).sessions, 2);
      await ended.assertEchoes(destination);
      await cut.assertEchoes(destination);
      assert.deepEqual(await ended.end(), {});
      // The second signal stands for its end.
      proxy.signal("SIGTERM");
      assert.deepEqual(await cut.client.raw.farewell(), CUT);
      assert.deepEqual(await proxy.exited, { code: 0, signal: null });
      const { code, bytesUp } = await cut.audited();
      assert.deepEqual([code, bytesUp], ["SERVER_STOPPED", "and back".length]);
      await cut.assertClosed(t);
    });
  });
});
