/**
 * What is tested: several real proxies behind one name, over a real KDC. One of them is killed and started again while 100
 * connections a second are opened; others hang, refuse the ticket or the level, deny a rule, or reach no destination:
 * what fails over at once, what marks a proxy down, and that nothing of the user's is sent to find out whether it is back.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ProxyStream } from "../../src/client/proxy-stream.js";
import { type Asking, Upstream, type UpstreamOptions } from "../../src/client/upstream.js";
import { GssocksError } from "../../src/errors.js";
import { Credential } from "../../src/gss/credential.js";
import type { UpstreamEvent } from "../../src/observability/events.js";
import { parseHost } from "../../src/protocol/address.js";
import { CMD } from "../../src/protocol/constants.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { type ProxyConfig, ProxyServer } from "../support/proxy.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("several proxies that stand for each other", async (t) => {
  const { realm, proxy: first } = await proxiedRealm(t, { log: { level: "info" } });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const second = await proxyServer(t);

  /** One more, stopped when the test ends. */
  async function proxyServer(t: TestContext, config: ProxyConfig = {}): Promise<ProxyServer> {
    const server = await ProxyServer.start(realm, { log: { level: "info" }, ...config });
    showOnFailure(t, () => server.logs());
    t.after(() => server.stop());
    return server;
  }

  const onPort = (port: number) => ({ listeners: [{ address: `127.0.0.1:${port}` }] });

  function upstream(t: TestContext, ports: readonly number[], options: Partial<UpstreamOptions> = {}) {
    const events: UpstreamEvent[] = [];
    const upstream = new Upstream({
      name: "next",
      proxies: ports.map((port) => ({ host: "localhost", port })),
      observer: (event) => void events.push(event),
      ...options,
    });
    t.after(() => upstream.close());
    const dst = (port = origin.port) => ({ host: parseHost("127.0.0.1"), port });
    const open = async (port?: number, asking?: Asking) => {
      const opened = await upstream.open({ cmd: CMD.CONNECT, dst: dst(port) }, asking);
      const stream = new ProxyStream(opened);
      opened.carries(() => ({ up: opened.socket.bytesWritten, down: opened.socket.bytesRead }));
      stream.once("close", opened.over);
      return { stream, port: opened.proxy.port };
    };
    /** Which proxy it goes through. */
    const through = async (port?: number, asking?: Asking) => {
      const opened = await open(port, asking);
      opened.stream.destroy();
      return opened.port;
    };
    const states = () => upstream.status().proxies.map(({ state }) => state);
    const told = () =>
      events
        .splice(0)
        .flatMap((each) => (each.type === "proxy-state" ? [`${each.proxy} ${each.state} ${each.code}`] : []));
    return { upstream, open, through, states, told };
  }

  /** An error's code. */
  const refusal = (opening: Promise<unknown>) =>
    opening.then(
      () => assert.fail("it was opened"),
      (error: unknown) => {
        assert.ok(error instanceof GssocksError, String(error));
        return error;
      },
    );

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await delay(20);
  }

  await t.test("one killed and started again, at 100 connections a second", async (t) => {
    const doomed = await ProxyServer.start(realm, { log: { level: "info" } });
    const { open, states, told, upstream: group } = upstream(t, [doomed.port, second.port]);
    const lasting = await Promise.all(Array.from({ length: 10 }, () => open()));
    assert.ok(lasting.every(({ port }) => port === doomed.port));
    assert.equal(group.status().proxies[0]?.sessions, 10);
    const resets = lasting.map(
      ({ stream }) => new Promise((end) => stream.once("error", end).once("close", () => end(null))),
    );

    const served = new Map<number, number>();
    const failures: { began: number; error: unknown }[] = [];
    const running = new Set<Promise<void>>();
    async function one(): Promise<void> {
      const began = performance.now();
      try {
        const { stream, port } = await open();
        stream.end("x");
        // Once it is open it shares the fate of its proxy.
        stream.on("error", () => {}).resume();
        await new Promise((closed) => stream.once("close", closed));
        served.set(port, (served.get(port) ?? 0) + 1);
      } catch (error) {
        failures.push({ began, error });
      }
    }
    const load = setInterval(() => {
      const session = one().finally(() => running.delete(session));
      running.add(session);
    }, 10);
    const servedBy = (port: number) => served.get(port) ?? 0;
    t.after(() => clearInterval(load));

    await until(() => servedBy(doomed.port) >= 100);
    assert.equal(servedBy(second.port), 0, "the first is the one that is used");
    doomed.signal("SIGKILL");
    await doomed.exited;
    const gone = performance.now();
    await until(() => servedBy(second.port) >= 200);
    assert.equal(states()[0], "down");
    const again = await ProxyServer.start(realm, onPort(doomed.port));
    t.after(() => again.stop());
    const before = servedBy(doomed.port);
    await until(() => servedBy(doomed.port) >= before + 100);
    clearInterval(load);
    await Promise.all(running);

    const late = failures.filter(({ began }) => began >= gone);
    assert.deepEqual(late, [], "none fails that begins while the other one is up");
    // Its request was on its way to the one that was killed: whether it had an effect nobody knows.
    for (const { error } of failures)
      assert.match(String((error as GssocksError).code), /^(CONNECTION_LOST|CLOSED_EARLY)$/);
    assert.ok(failures.length <= 5, `${failures.length} of those under way`);
    for (const error of await Promise.all(resets))
      assert.equal((error as GssocksError | null)?.code, "CONNECTION_LOST", "sessions end with a reset");
    assert.deepEqual(states(), ["up", "up"]);
    const changes = told();
    assert.match(changes[0] as string, new RegExp(`^localhost:${doomed.port} down `));
    assert.equal(changes.at(-1), `localhost:${doomed.port} up null`);
    await until(() => group.status().proxies.every(({ sessions }) => sessions === 0));
    const [one1] = group.status().proxies;
    assert.ok((one1?.octets.up ?? 0) > 0 && (one1?.octets.down ?? 0) > 0);
    t.diagnostic(`${[...served.values()].join(" and ")} served, ${failures.length} lost with their proxy`);
  });

  await t.test("one that hangs is left when its time is up, and is back when it answers again", async (t) => {
    const hung = await proxyServer(t);
    const {
      through,
      states,
      told,
      upstream: group,
    } = upstream(t, [hung.port, second.port], { attemptTimeout: 500 });
    assert.equal(await through(), hung.port);
    hung.signal("SIGSTOP");
    assert.equal(await through(), second.port);
    assert.deepEqual(told(), [`localhost:${hung.port} down TIMEOUT`]);
    assert.match(String(group.status().proxies[0]?.error?.message), /took no request within 0\.5 s/);
    assert.equal(await through(), second.port);
    hung.signal("SIGCONT");
    await until(() => states()[0] === "up");
    assert.equal(await through(), hung.port);
  });

  await t.test("in turns", async (t) => {
    const third = await proxyServer(t);
    const ports = [first.port, second.port, third.port];
    const { through } = upstream(t, ports, { order: "round-robin" });
    const used = [];
    for (let i = 0; i < 6; i++) used.push(await through());
    assert.deepEqual(used, [...ports, ...ports]);
    await third.stop();
    const rest = [];
    for (let i = 0; i < 6; i++) rest.push(await through());
    assert.ok(!rest.includes(third.port));
    assert.ok(rest.includes(first.port) && rest.includes(second.port));
  });

  await t.test("a denial and an unreachable destination are answers", async (t) => {
    const strict = await proxyServer(t, {
      rules: [{ deny: { to: [`127.0.0.1:${origin.port}`] } }, { allow: { to: ["127.0.0.0/8"] } }],
    });
    const { through, states, told, upstream: group } = upstream(t, [strict.port, second.port]);
    assert.equal((await refusal(through())).code, "RULE_DENIED");
    const closed = await Origin.start(echo);
    const { port } = closed;
    await closed.stop();
    const { code, rep } = await refusal(through(port));
    assert.deepEqual([code, rep], ["DESTINATION_REFUSED", 0x05]);
    assert.deepEqual([states(), told()], [["up", "unknown"], []]);
    assert.equal(group.status().proxies[0]?.error, null);
    assert.equal(second.audits().filter(({ destination }) => destination === `127.0.0.1:${port}`).length, 0);
  });

  await t.test("one that refuses our ticket, or our level", async (t) => {
    await realm.addPrincipal("rcmd/other.example.test");
    const keytab = `${realm.dir}/other.keytab`;
    await realm.ktadd("rcmd/other.example.test", keytab);
    const broken = await proxyServer(t, { gssapi: { keytab: `FILE:${keytab}` } });
    const weak = await proxyServer(t, { gssapi: { protectionLevels: ["integrity"] } });
    const ports = [broken.port, weak.port, second.port];
    const { through, told, states } = upstream(t, ports);
    assert.equal(await through(), second.port);
    assert.deepEqual(told(), [
      `localhost:${broken.port} down AUTHENTICATION_REFUSED`,
      `localhost:${weak.port} down LEVEL_REFUSED`,
    ]);
    // The check sends no ticket, so it can't tell; the next connection does.
    await until(() => states()[0] === "up" && states()[1] === "up");
    assert.equal(await through(), second.port);

    // With a ticket that somebody has delegated, it may be the ticket.
    const others = upstream(t, ports);
    const credential = await Credential.initiator();
    t.after(() => credential.close());
    assert.equal(await others.through(undefined, { credential }), second.port);
    assert.deepEqual(others.told(), []);
    assert.deepEqual(others.states(), ["unknown", "unknown", "up"]);
  });

  await t.test("all down: tried all the same, and used as soon as one is there", async (t) => {
    const [one, other] = [await ProxyServer.start(realm), await ProxyServer.start(realm)];
    await Promise.all([one.stop(), other.stop()]);
    const { through, states } = upstream(t, [one.port, other.port]);
    const error = await refusal(through());
    assert.equal(error.code, "NO_PROXY");
    for (const { port } of [one, other])
      assert.ok(error.message.includes(`localhost:${port}: `), error.message);
    assert.deepEqual(states(), ["down", "down"]);
    assert.equal((await refusal(through())).code, "NO_PROXY");
    const again = await proxyServer(t, onPort(other.port));
    assert.equal(await through(), again.port);
    assert.equal(
      (await refusal(upstream(t, [one.port]).through())).code,
      "PROXY_UNREACHABLE",
      "alone: its own error",
    );
  });

  await t.test("the check says no more than which methods there are", async (t) => {
    const heard: Buffer[] = [];
    const fake = await Origin.start((socket) => {
      socket.on("data", (octets) => {
        heard.push(octets);
        socket.end();
      });
    });
    t.after(() => fake.stop());
    const { through, told } = upstream(t, [fake.port, second.port]);
    assert.equal(await through(), second.port);
    assert.deepEqual(told(), [`localhost:${fake.port} down CLOSED_EARLY`]);
    await until(() => heard.length >= 3);
    for (const octets of heard) assert.equal(octets.toString("hex"), "050101");
  });

  await t.test("given up by the caller: no fault of a proxy's", async (t) => {
    const hung = await proxyServer(t);
    hung.signal("SIGSTOP");
    const { through, states } = upstream(t, [hung.port, second.port]);
    const giveUp = new AbortController();
    const opening = refusal(through(undefined, { signal: giveUp.signal }));
    await delay(50);
    giveUp.abort();
    assert.equal((await opening).code, "ABORTED");
    assert.deepEqual(states(), ["unknown", "unknown"]);
    hung.signal("SIGCONT");
  });
});
