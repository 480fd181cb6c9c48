/**
 * What is tested: `gssocks upstreams`, with one process and with two, and the metrics of the same: proxies that are up, down and not
 * used yet, the server's own ticket and upstreams that show none; octets of CONNECT, UDP ASSOCIATE and HTTP, while they are carried
 * and afterwards; a reload; and a server that has no upstreams.
 */
import assert from "node:assert/strict";

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { udpAssociate } from "../../src/index.js";
import { CMD } from "../../src/protocol/constants.js";
import type { UpstreamInfo } from "../../src/server/upstream-info.js";
import { EVERYTHING } from "../support/chain.js";
import { CommandClient, endpoint } from "../support/command-client.js";
import { controlled } from "../support/controlled.js";

import { metricsPort, scrape } from "../support/metrics.js";
import { echo, Origin } from "../support/origin.js";
import { start } from "../support/processes.js";
import { ProxyServer } from "../support/proxy.js";
import type { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

async function proxyServer(t: TestContext, realm: Realm): Promise<ProxyServer> {
  const server = await ProxyServer.start(realm, {
    listeners: [{ address: "127.0.0.1:0", methods: ["gssapi", "none"] }],
    timeouts: { drain: "0s" },
  });
  showOnFailure(t, () => server.logs());
  t.after(() => server.stop());
  return server;
}

for (const workers of [1, 2]) {
  test(`what is told of upstreams, workers: ${workers}`, async (t) => {
    const proxies: ProxyServer[] = [];
    const server = await controlled(t, async (realm) => {
      for (let count = 0; count < 2; count += 1) proxies.push(await proxyServer(t, realm));
      const listed = proxies.map(({ address }) => address);
      return {
        workers,
        listeners: [{ address: "127.0.0.1:0", methods: ["none"], http: true }],
        metrics: { address: "127.0.0.1:0" },
        upstreams: {
          own: { proxies: listed },
          open: { proxies: listed.slice(1), method: "none" },
        },
        rules: [{ allow: EVERYTHING, via: "own" }],
      };
    });
    const [first, second] = proxies as [ProxyServer, ProxyServer];
    const { proxy } = server;
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    const all = async () => {
      const { code, stdout, stderr } = await server.run("upstreams", "--json");
      assert.equal(stderr, "");
      const lines = stdout.split("\n").filter((line) => line !== "");
      return { code, upstreams: lines.map((line) => JSON.parse(line) as UpstreamInfo) };
    };
    /** Of all processes together: what is known of the first proxy of `own`. */
    const sums = (upstreams: readonly UpstreamInfo[]) => {
      const sum = { sessions: 0, up: 0, down: 0 };
      for (const { upstream, proxies } of upstreams) {
        if (upstream !== "own" || proxies[0] === undefined) continue;
        sum.sessions += proxies[0].sessions;
        sum.up += proxies[0].bytesUp;
        sum.down += proxies[0].bytesDown;
      }
      return [sum.sessions, sum.up, sum.down];
    };

    await t.test("before anything goes through them", async () => {
      const { code, upstreams } = await all();
      assert.equal(code, 0);
      assert.equal(upstreams.length, 2 * workers);
      assert.equal(new Set(upstreams.map(({ pid }) => pid)).size, workers);
      for (const { upstream, ticket, proxies } of upstreams) {
        assert.ok(proxies.every(({ state }) => state === "unknown"));
        if (upstream === "open") assert.equal(ticket, null);
        else assert.deepEqual([ticket?.principal, ticket?.error], ["alice@EXAMPLE.TEST", null]);
      }
    });

    const clients: CommandClient[] = [];
    const client = async () => {
      const made = await CommandClient.ready(proxy, "no authentication");
      t.after(() => made.close());
      clients.push(made);
      return made;
    };

    await t.test("octets of every command, while they are carried", async () => {
      const connected = await client();
      assert.equal((await connected.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port))).rep, 0);
      connected.send(Buffer.alloc(1000));
      await connected.read(1000);
      assert.deepEqual(sums((await all()).upstreams), [1, 1000, 1000]);

      const url = `http://127.0.0.1:${origin.port}/`;
      const curl = ["-sS", "--noproxy", "", "-p", "-x", `http://127.0.0.1:${proxy.port}`, "-m", "1", url];
      const tunnel = await start("curl", curl, { test: t });
      await proxy.waitForLog(({ msg }) => msg === "connected");
      await tunnel.exited;
      const { upstreams } = await all();
      const [sessions, up = 0] = sums(upstreams);
      assert.ok((sessions ?? 0) >= 1 && up > 1000, JSON.stringify(upstreams));
    });

    await t.test("octets of datagrams", async (t) => {
      const echo = createSocket("udp4").on("message", (data, from) =>
        echo.send(data, from.port, from.address),
      );
      echo.bind(0, "127.0.0.1");
      await once(echo, "listening");
      t.after(() => void echo.close());
      const [, up = 0, down = 0] = sums((await all()).upstreams);
      const options = { proxy: { host: "localhost", port: proxy.port }, methods: ["none"] } as const;
      const association = await udpAssociate(options);
      t.after(() => association.close());
      const answered = once(association, "message");
      association.send(Buffer.alloc(700), { host: "127.0.0.1", port: echo.address().port });
      await answered;
      const during = sums((await all()).upstreams);
      assert.deepEqual(during.slice(1), [up + 700, down + 700]);
      association.close();
      await proxy.audit(({ command }) => command === "udp-associate");
      assert.deepEqual(sums((await all()).upstreams).slice(1), [up + 700, down + 700]);
    });

    await t.test("for people", async () => {
      const { code, stdout } = await server.run("upstreams");
      assert.equal(code, 0);
      assert.match(stdout, workers > 1 ? /^PID +UPSTREAM +PROXY +STATE/m : /^UPSTREAM +PROXY +STATE/m);
      assert.match(stdout, /^UPSTREAM +TICKET +CCACHE/m);
      assert.equal(stdout.match(/^own +alice@EXAMPLE\.TEST/gm)?.length, 1, "those alike are told once");
    });

    await t.test("a proxy that is gone, and the metrics", async () => {
      const port = await metricsPort(proxy);
      const labels = { upstream: "own", proxy: first.address };
      const before = await scrape(port);
      assert.equal(before.value("gssocks_upstream_proxy_up", labels), 1);
      assert.ok((before.value("gssocks_upstream_proxy_sessions", labels) ?? 0) >= 1);
      assert.equal(before.value("gssocks_upstream_proxy_failures_total", labels), 0);
      await first.stop();
      const one = await client();
      assert.equal((await one.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port))).rep, 0);
      const { code, upstreams } = await all();
      assert.equal(code, 0);
      const states = upstreams
        .filter(({ upstream }) => upstream === "own")
        .map(({ proxies }) => proxies[0]?.state);
      assert.ok(states.includes("down"), String(states));
      const after = await scrape(port);
      assert.equal(after.value("gssocks_upstream_proxy_up", labels), 0);
      assert.ok((after.value("gssocks_upstream_proxy_failures_total", labels) ?? 0) >= 1);
      const other = { upstream: "own", proxy: second.address };
      assert.equal(after.value("gssocks_upstream_proxy_up", other), 1);
      assert.equal(after.value("gssocks_upstream_proxy_sessions", other), 1);
    });

    await t.test("after a reload", async () => {
      await server.reload({ upstreams: {}, rules: [{ allow: EVERYTHING }] });
      const { code, upstreams } = await all();
      assert.deepEqual([code, upstreams], [0, []]);
      const { stdout } = await server.run("upstreams");
      assert.match(stdout, /^UPSTREAM +PROXY +STATE[^\n]*\n$/);
    });
  });
}
