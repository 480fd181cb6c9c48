/**
 * What is tested: the proxies behind `gssocks forward` are killed and started again while curls fetch a page without an
 * end but the connection's, by SOCKS and by HTTP. With two: who comes behind the kill gets the whole page. With one: an error at
 * once, and the page as soon as the proxy is back. A page that was cut is never taken for a whole one, and nobody hangs.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Forwarder } from "../support/forwarder.js";
import { Origin } from "../support/origin.js";
import { type Exit, type Running, runToEnd, start } from "../support/processes.js";
import { ProxyServer } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

/** Addresses of their own: a port there that was free once stays free while its proxy is away. */
const HOSTS = ["127.44.0.1", "127.44.0.2"] as const;
const PAGE = createHash("shake256", { outputLength: 300_000 }).update("a page").digest("hex");
const HEAD = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
const WAYS = [["socks5h"], ["socks4a"], ["http"], ["http", "--proxytunnel"]];
/** Curls at a time. */
const LOAD = 6;
/** In seconds; a curl that is still there then has hung. */
const PATIENCE = 30;

interface Fetched extends Exit {
  began: number;
  stderr: string;
  /** The page as it was sent; false for a part of it, too. */
  whole: boolean;
}

async function prepared(t: TestContext, hosts: readonly string[]) {
  const realm = await Realm.start({ services: hosts.map((host) => `rcmd/${host}`) });
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  const ccache = await realm.kinit("alice");

  async function serve(address: string): Promise<ProxyServer> {
    const server = await ProxyServer.start(realm, { listeners: [{ address }], log: { level: "info" } });
    showOnFailure(t, () => server.logs());
    t.after(() => server.stop());
    return server;
  }
  const proxies = await Promise.all(
    hosts.map(async (host) => {
      let server = await serve(`${host}:0`);
      const address = `${host}:${server.port}`;
      return {
        address,
        served: () => server.audits().length,
        async kill() {
          server.signal("SIGKILL");
          await server.exited;
        },
        async again() {
          server = await serve(address);
        },
      };
    }),
  );
  const args = proxies.flatMap(({ address }) => ["--proxy", address]);
  const forwarder = await Forwarder.start(args, { ...realm.env, KRB5CCNAME: ccache });
  showOnFailure(t, () => forwarder.logs());
  t.after(() => forwarder.stop());

  // At /held what is behind the first half never comes.
  const origin = await Origin.start((socket) =>
    socket.once("data", (request) => {
      socket.write(HEAD + PAGE.slice(0, PAGE.length / 2));
      if (!request.includes("/held")) socket.end(PAGE.slice(PAGE.length / 2));
    }),
  );
  t.after(() => origin.stop());

  let started = 0;
  function commandLine(path: string): string[] {
    const [scheme, ...options] = WAYS[started++ % WAYS.length] as [string, ...string[]];
    const through = ["--noproxy", "", "-x", `${scheme}://127.0.0.1:${forwarder.port}`, ...options];
    return [
      "-q",
      "-sSf",
      "-N",
      "--max-time",
      `${PATIENCE}`,
      ...through,
      `http://localhost:${origin.port}${path}`,
    ];
  }
  async function fetchPage(): Promise<Fetched> {
    const began = performance.now();
    const { code, signal, stdout, stderr } = await runToEnd("curl", commandLine("/"), { timeoutMs: 60_000 });
    return { began, code, signal, stderr, whole: stdout === PAGE };
  }
  /** One that has the first half. */
  async function held() {
    const curl = await start("curl", commandLine("/held"), { input: "", test: t });
    while (curl.stdoutBytes().length < PAGE.length / 2) await delay(10);
    return curl;
  }

  const fetched: Fetched[] = [];
  let over = false;
  const load = Array.from({ length: LOAD }, async () => {
    while (!over) fetched.push(await fetchPage());
  });
  /** Waits for so many fetches that began from now on. */
  async function more(count: number): Promise<Fetched[]> {
    const from = performance.now();
    const begunSince = () => fetched.filter(({ began }) => began >= from);
    while (begunSince().length < count) await delay(20);
    return begunSince();
  }
  async function end(): Promise<void> {
    over = true;
    await Promise.all(load);
  }
  t.after(end);
  return { proxies, forwarder, fetchPage, held, fetched, more, end };
}

function assertWhole(fetched: readonly Fetched[]): void {
  assert.deepEqual(
    fetched.filter(({ code, whole }) => code !== 0 || !whole),
    [],
  );
}

/** All that were fetched, whenever: the whole page, or an error. */
function assertNeverPart(fetched: readonly Fetched[]): void {
  for (const { code, signal, whole, stderr } of fetched) {
    assert.equal(signal, null);
    assert.notEqual(code, 28, `hung: ${stderr}`);
    assert.equal(code === 0, whole, `status ${code}, but the page is ${whole ? "" : "not "}whole: ${stderr}`);
  }
}

async function assertBroken(cut: readonly Running[]): Promise<void> {
  for (const curl of cut) {
    const { code } = await curl.exited;
    assert.ok(code !== 0 && code !== 28, `status ${code}`);
  }
}

test("two proxies", async (t) => {
  const { proxies, held, fetched, more, end } = await prepared(t, HOSTS);
  const [first, second] = proxies as [(typeof proxies)[0], (typeof proxies)[0]];
  assertWhole(await more(20));
  assert.equal(second.served(), 0, "the first is the one that is used");

  const cut = await Promise.all(WAYS.map(held));
  await first.kill();
  assertWhole(await more(40));
  assert.ok(second.served() >= 40);
  await assertBroken(cut);

  // Whether or not it has been seen that the first one is back.
  await first.again();
  await second.kill();
  assertWhole(await more(40));
  assert.ok(first.served() >= 40);
  await second.again();
  await end();
  assertNeverPart(fetched);
});

test("one proxy", async (t) => {
  const { proxies, forwarder, held, fetched, more, end } = await prepared(t, HOSTS.slice(0, 1));
  const [only] = proxies as [(typeof proxies)[0]];
  assertWhole(await more(20));
  const cut = await Promise.all(WAYS.map(held));
  await only.kill();
  for (const { code, stderr } of await more(40)) {
    // SOCKS refused; HTTP's 502 to a request, and to CONNECT.
    assert.ok([97, 22, 56].includes(code as number), `status ${code}: ${stderr}`);
  }
  await assertBroken(cut);
  await forwarder.waitForLog(({ msg, code }) => msg === "session failed" && code === "PROXY_UNREACHABLE");
  await only.again();
  assertWhole(await more(20));
  await end();
  assertNeverPart(fetched);
});
