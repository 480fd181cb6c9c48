/**
 * What is tested: `gssocks forward --status` as scripts read it, of a real forwarder before two real proxies: without a ticket,
 * with one that came late, one that has expired; sessions and octets while they are carried and afterwards; a proxy that is stopped,
 * both of them, and one that is started again; the exit status of each; and what is said where no forwarder runs.
 */
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { CMD } from "../../src/protocol/constants.js";
import type { ProxyInfo } from "../../src/server/upstream-info.js";
import { CommandClient, endpoint } from "../support/command-client.js";
import { Forwarder } from "../support/forwarder.js";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { ProxyServer } from "../support/proxy.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { askStatus } from "../support/status.js";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function runtimeDirectory(t: TestContext): Promise<string> {
  const dir = await scratch(t);
  chmodSync(dir, 0o700);
  return dir;
}

test("the status of a forwarder", async (t) => {
  const { realm, proxy: first } = await proxiedRealm(t);
  const second = await ProxyServer.start(realm, { timeouts: { drain: "0s" } });
  showOnFailure(t, () => second.logs());
  t.after(() => second.stop());
  const XDG_RUNTIME_DIR = await runtimeDirectory(t);
  const env = { ...realm.env, KRB5CCNAME: `FILE:${realm.dir}/late`, XDG_RUNTIME_DIR };
  const forwarder = await Forwarder.start(["--proxy", first.address, "--proxy", second.address], env);
  showOnFailure(t, () => forwarder.logs());
  t.after(() => forwarder.stop());
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  const status = () => askStatus(env);
  /** The first upstream's. */
  const proxies = async () => ((await status()).upstreams[0]?.proxies ?? []) as [ProxyInfo, ProxyInfo];
  const untilState = async (which: 0 | 1, state: ProxyInfo["state"]) => {
    for (;;) if ((await proxies())[which].state === state) return;
  };
  const open = async () => {
    const client = await CommandClient.ready(forwarder, "no authentication");
    t.after(() => client.close());
    const { rep } = await client.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port));
    return { client, rep };
  };

  await t.test("without a ticket", async () => {
    const { code, total, upstreams, sessions } = await status();
    assert.equal(code, 3);
    assert.deepEqual(total, { sessions: 0, bytesUp: 0, bytesDown: 0 });
    assert.deepEqual(sessions, []);
    const [upstream] = upstreams;
    assert.equal(upstreams.length, 1);
    const { ticket, proxies, ...rest } = upstream ?? assert.fail();
    assert.deepEqual(rest, { upstream: "proxy", pid: forwarder.pid, order: "first", srv: null });
    assert.equal(ticket?.error?.code, "NO_TICKET");
    assert.match(String(ticket?.error?.message), /kinit/);
    assert.equal(ticket?.principal, null);
    const told = proxies.map(({ since, ...proxy }) => {
      assert.match(since, ISO);
      return proxy;
    });
    const unknown = {
      from: "configuration",
      state: "unknown",
      error: null,
      failures: 0,
      failuresInARow: 0,
      nextCheck: null,
      sessions: 0,
      bytesUp: 0,
      bytesDown: 0,
    };
    assert.deepEqual(told, [
      { proxy: first.address, ...unknown },
      { proxy: second.address, ...unknown },
    ]);
  });

  await t.test("with one that came late", async () => {
    const args = ["-r", "2h"];
    await realm.kinit("alice", { ccache: "late", lifetime: 3600, args });
    const { code, upstreams } = await status();
    assert.equal(code, 0);
    const { principal, ccache, secondsLeft, renewableUntil, error } = upstreams[0]?.ticket ?? assert.fail();
    assert.deepEqual([principal, ccache, error], ["alice@EXAMPLE.TEST", env.KRB5CCNAME, null]);
    assert.ok(secondsLeft !== null && secondsLeft > 3000 && secondsLeft <= 3600, `${secondsLeft}`);
    assert.match(String(renewableUntil), ISO);
  });

  await t.test("a session while it carries, and afterwards", async () => {
    const { client } = await open();
    client.send(Buffer.alloc(5000));
    await client.read(5000);
    const during = await status();
    assert.deepEqual(during.total, { sessions: 1, bytesUp: 5000, bytesDown: 5000 });
    const [session] = during.sessions;
    assert.equal(during.sessions.length, 1);
    assert.equal(session?.upstream, "proxy");
    assert.deepEqual([session?.bytesUp, session?.bytesDown, session?.rateUp], [5000, 5000, 0]);
    const [used, other] = during.upstreams[0]?.proxies ?? [];
    const { state, sessions, bytesUp, bytesDown } = used ?? assert.fail();
    assert.deepEqual([state, sessions, bytesUp, bytesDown], ["up", 1, 5000, 5000]);
    assert.deepEqual([other?.state, other?.sessions, other?.bytesUp], ["unknown", 0, 0]);

    client.close();
    await forwarder.audit(({ bytesUp }) => bytesUp === 5000);
    const after = await status();
    assert.deepEqual([after.total, after.sessions], [during.total, []]);
    const [still] = after.upstreams[0]?.proxies ?? [];
    assert.deepEqual([still?.sessions, still?.bytesUp, still?.bytesDown], [0, 5000, 5000]);
  });

  await t.test("a proxy that is stopped, both, and one that is started again", async () => {
    await first.stop();
    assert.equal((await open()).rep, 0);
    const one = await status();
    const [down, up] = one.upstreams[0]?.proxies ?? [];
    assert.deepEqual([one.code, down?.state, up?.state, up?.sessions], [0, "down", "up", 1]);
    assert.equal(down?.error?.code, "PROXY_UNREACHABLE");
    assert.match(String(down?.error?.time), ISO);
    assert.ok((down?.failures ?? 0) >= 1 && (down?.failuresInARow ?? 0) >= 1);

    await second.stop();
    assert.notEqual((await open()).rep, 0);
    const both = await status();
    assert.equal(both.code, 4);
    assert.ok(both.upstreams[0]?.proxies.every(({ state }) => state === "down"));
    // While it is being looked at there is none.
    for (;;) {
      const { nextCheck } = (await proxies())[0];
      if (nextCheck === null) continue;
      assert.match(nextCheck, ISO);
      break;
    }

    const again = await ProxyServer.start(realm, { listeners: [{ address: `127.0.0.1:${second.port}` }] });
    t.after(() => again.stop());
    await untilState(1, "up");
    const { code, upstreams } = await status();
    const [, back] = upstreams[0]?.proxies ?? [];
    assert.deepEqual([code, back?.nextCheck, back?.error?.code], [0, null, "PROXY_UNREACHABLE"]);
  });

  await t.test("a ticket that has expired", async () => {
    await realm.kinit("bob", { ccache: "late", lifetime: 1 });
    for (;;) {
      const { code, upstreams } = await status();
      const ticket = upstreams[0]?.ticket;
      assert.equal(ticket?.principal, "bob@EXAMPLE.TEST");
      if (code !== 3) continue;
      assert.deepEqual([ticket?.error?.code, ticket?.secondsLeft], ["TICKET_EXPIRED", 0]);
      break;
    }
  });

  await t.test("for people, once", async () => {
    await realm.kinit("alice", { ccache: "late" });
    const { code, stdout } = await gssocks(["forward", "--status"], { env });
    assert.equal(code, 0);
    const [head = "", ...lines] = stdout.split("\n");
    assert.match(head, /^sessions: \d open, \d+ since the start; octets: 5\.0kB up, 5\.0kB down$/);
    const text = lines.join("\n");
    assert.match(text, /^UPSTREAM +TICKET +CCACHE +LEFT +RENEWABLE\nproxy +alice@EXAMPLE\.TEST +FILE:/m);
    assert.match(
      text,
      /^UPSTREAM +PROXY +STATE +SINCE +SESSIONS +UP +DOWN +FAILURES +NEXT TRY\nproxy +localhost:\d+ +down /m,
    );
    assert.match(text, /^proxy +localhost:\d+ +up /m);
    assert.match(text, new RegExp(`^${first.address}: .*ECONNREFUSED`, "m"));
    assert.ok(!stdout.includes("\x1b"), "nothing but text");
  });
});

test("of one whose configuration has the socket", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const dir = await runtimeDirectory(t);
  const file = path.join(dir, "forward.yaml");
  const config = {
    listeners: [{ address: "127.0.0.1:0" }],
    upstreams: { next: { proxies: [proxy.address] } },
    control: { socket: path.join(dir, "own") },
  };
  writeFileSync(file, stringify(config));
  const forwarder = await Forwarder.start(["--config", file], {
    ...realm.env,
    KRB5CCNAME: process.env.KRB5CCNAME,
  });
  t.after(() => forwarder.stop());
  const env = { XDG_RUNTIME_DIR: undefined };
  const asked = await gssocks(["forward", "--status", "--json", "--config", file], { env });
  assert.deepEqual([asked.code, asked.stderr], [0, ""]);
  assert.equal(JSON.parse(asked.stdout).upstreams[0].upstream, "next");
});

test("where there is none, and what makes no sense", async (t) => {
  const dir = await runtimeDirectory(t);
  const run = (args: string[], directory: string | undefined = dir) =>
    gssocks(["forward", ...args], { env: { XDG_RUNTIME_DIR: directory } });
  for (const args of [["--status"], ["--status", "--json"]]) {
    const { code, stdout, stderr } = await run(args);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.equal(
      stderr,
      `gssocks: no forwarder runs: can't ask the server at ${dir}/gssocks-forward: ENOENT (there is no such socket)\n`,
    );
  }
  const nowhere = await gssocks(["forward", "--status"], { env: { XDG_RUNTIME_DIR: undefined } });
  assert.equal(nowhere.code, 1);
  assert.match(
    nowhere.stderr,
    /^gssocks: there is no place for a forwarder's control socket: have XDG_RUNTIME_DIR /,
  );
  for (const [args, says] of [
    [["--json", "--proxy", "localhost:1"], /--json goes with --status/],
    [["--status", "--proxy", "localhost:1"], /--status.*cannot be used with.*--proxy/],
    [["--status", "--config", path.join(dir, "none.yaml")], /none\.yaml: cannot be read/],
  ] as const) {
    const { code, stderr } = await run([...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
  }
});

// What was asked is answered while the forwarder waits for its sessions.
test("of one that drains", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const env = {
    ...realm.env,
    KRB5CCNAME: process.env.KRB5CCNAME,
    XDG_RUNTIME_DIR: await runtimeDirectory(t),
  };
  const forwarder = await Forwarder.start(["--proxy", proxy.address], env);
  t.after(() => forwarder.stop());
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const client = await CommandClient.ready(forwarder, "no authentication");
  await client.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port));
  forwarder.signal("SIGTERM");
  await forwarder.waitForLog(({ msg }) => msg === "draining");
  const { sessions } = await askStatus(env);
  assert.equal(sessions.length, 1);
  client.close();
  await forwarder.exited;
  const { code } = await gssocks(["forward", "--status"], { env });
  assert.equal(code, 1);
});
