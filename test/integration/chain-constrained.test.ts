/**
 * What is tested: two and three proxies one behind the other where the user delegates nothing, and the KDC lets each proxy act
 * in the user's place towards the next (S4U2Proxy), so that all of them judge and audit the user; a client of HTTP; a ticket
 * that the user delegates all the same; what is refused: a service that the KDC does not
 * allow it, a ticket that is not forwardable, a user whom the KDC bars from delegation, a client without a ticket, and an
 * upstream that takes delegated tickets alone; and our own ticket, which ends, or which there is no KDC to give.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type ConnectOptions, connect, PeerError, PolicyError } from "../../src/index.js";
import { EVERYTHING } from "../support/chain.js";
import { delegationRealm } from "../support/delegation-realm.js";
import { HttpOrigin } from "../support/http-origin.js";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { CLI, type LogLine, type ProxyConfig, ProxyServer } from "../support/proxy.js";
import type { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const CONSTRAINED = { credential: "constrained" };
const ONE = "rcmd/one.example.test@EXAMPLE.TEST";
const TWO = "rcmd/two.example.test@EXAMPLE.TEST";
const THREE = "rcmd/three.example.test@EXAMPLE.TEST";

async function startProxy(
  context: TestContext,
  realm: Realm,
  config: ProxyConfig = {},
  env: Readonly<Record<string, string>> = {},
): Promise<ProxyServer> {
  const proxy = await ProxyServer.start(realm, config, { cli: CLI, env });
  showOnFailure(context, async () => proxy.logs());
  context.after(() => proxy.stop());
  return proxy;
}

/** How the next proxy is reached, which has that name. */
function upstream(next: ProxyServer, targetName: string, gssapi: Record<string, unknown> = CONSTRAINED) {
  return { proxies: [{ address: next.address, targetName }], gssapi };
}

/** As the user who is signed in here. */
function through(proxy: ProxyServer, port: number, options: Partial<ConnectOptions> = {}) {
  return connect({
    proxy: { host: "127.0.0.1", port: proxy.port },
    targetName: ONE,
    destination: { host: "127.0.0.1", port },
    ...options,
  });
}

async function startOrigin(context: TestContext): Promise<Origin> {
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  return origin;
}

async function assertEchoed(
  proxy: ProxyServer,
  { port }: Origin,
  options: Partial<ConnectOptions> = {},
): Promise<void> {
  const stream = await through(proxy, port, options);
  stream.end("octets");
  assert.equal(String((await once(stream, "data"))[0]), "octets");
}

test("three proxies know the user, who delegates nothing", async (context) => {
  const realm = await delegationRealm(context, { [ONE]: [TWO], [TWO]: [THREE], [THREE]: [] });
  const third = await startProxy(context, realm);
  const leadsTo = (next: ProxyServer, name: string) =>
    startProxy(context, realm, {
      upstreams: { next: upstream(next, name) },
      rules: [{ allow: EVERYTHING, via: "next" }],
    });
  const second = await leadsTo(third, THREE);
  const first = await leadsTo(second, TWO);
  const origin = await startOrigin(context);
  realm.enter(await realm.kinit("bob", { ccache: "bob" }));
  const files = await readdir(realm.dir);
  await assertEchoed(first, origin);
  for (const [proxy, targetName] of [
    [first, ONE],
    [second, TWO],
    [third, THREE],
  ] as const) {
    const record = await proxy.audit();
    assert.deepEqual(
      [record.principal, record.targetName, record.outcome, record.level],
      ["bob@EXAMPLE.TEST", targetName, "completed", "confidentiality"],
    );
  }
  assert.deepEqual(await readdir(realm.dir), files, "the tickets are in memory alone");
});

test("who may act for whom", async (context) => {
  const realm = await delegationRealm(context, {
    [ONE]: [TWO],
    [TWO]: [],
    "HTTP/localhost@EXAMPLE.TEST": [TWO],
  });
  const last = await startProxy(context, realm);
  const first = await startProxy(context, realm, {
    listeners: [
      { address: "127.0.0.1:0" },
      { address: "127.0.0.1:0", http: true, gssapi: { protectionLevels: ["none"] } },
      { address: "127.0.0.1:0", methods: ["none"] },
    ],
    upstreams: { next: upstream(last, TWO), strict: upstream(last, TWO, { credential: "delegated" }) },
    rules: [
      { allow: { to: ["localhost"] }, via: "strict" },
      { allow: EVERYTHING, via: "next" },
    ],
  });
  const origin = await startOrigin(context);
  const ticket = await realm.kinit("alice");
  realm.enter(ticket);

  /** The first proxy's record of what is refused here, of which the last one learns no name. */
  async function refused(options: Partial<ConnectOptions> = {}): Promise<LogLine> {
    const known = () => last.audits().filter(({ principal }) => principal !== null).length;
    const before = known();
    const later = first.later();
    await assert.rejects(
      through(first, origin.port, options),
      (error) => error instanceof PeerError || error instanceof PolicyError,
    );
    const record = await first.audit(later);
    assert.equal(known(), before);
    return record;
  }

  await context.test("a client of HTTP, with a service of its own", async () => {
    const http = await HttpOrigin.start(context, (_, response) => response.end("body"));
    const later = last.later();
    const args = [
      "-sS",
      "-p",
      "-x",
      `http://localhost:${first.ports[1]}`,
      "--proxy-negotiate",
      "--proxy-user",
      ":",
    ];
    const { stdout } = await run("curl", [...args, `http://127.0.0.1:${http.port}/`], {
      env: { ...realm.env, KRB5CCNAME: ticket },
    });
    assert.equal(stdout, "body");
    assert.equal((await last.audit(later)).principal, "alice@EXAMPLE.TEST");
    const { principal, targetName } = await first.audit();
    assert.deepEqual([principal, targetName], ["alice@EXAMPLE.TEST", "HTTP/localhost@EXAMPLE.TEST"]);
  });

  await context.test("a user who delegates the ticket", async () => {
    const later = last.later();
    await assertEchoed(first, origin, { delegate: true });
    assert.equal((await last.audit(later)).principal, "alice@EXAMPLE.TEST");
  });

  await context.test("a service of ours that the KDC does not allow it", async () => {
    const { code, reason, principal } = await refused({ targetName: "rcmd@localhost" });
    assert.deepEqual([code, principal], ["DELEGATION_REFUSED", "alice@EXAMPLE.TEST"]);
    assert.match(
      String(reason),
      /let rcmd\/localhost@EXAMPLE\.TEST act .* towards "rcmd\/two\..*constrained delegation/,
    );
  });

  await context.test("an upstream that takes delegated tickets alone", async () => {
    const { code, reason } = await refused({ destination: { host: "localhost", port: origin.port } });
    assert.equal(code, "NOT_DELEGATED");
    assert.match(String(reason), /none was delegated/);
  });

  await context.test("a client without a ticket", async () => {
    const { code, reason } = await refused({
      proxy: { host: "127.0.0.1", port: first.ports[2] as number },
      methods: ["none"],
    });
    assert.equal(code, "NOT_DELEGATED");
    assert.match(String(reason), /this client has shown none/);
  });

  await context.test("a ticket that is not forwardable", async () => {
    realm.enter(await realm.kinit("alice", { ccache: "bound", args: ["-F"] }));
    const { code, reason, principal } = await refused();
    assert.deepEqual([code, principal], ["TICKET_NOT_FORWARDABLE", "alice@EXAMPLE.TEST"]);
    assert.match(String(reason), /kinit -f/);
  });

  await context.test("a user whom the KDC bars from delegation", async () => {
    await realm.kadmin(["modprinc -allow_forwardable bob"]);
    realm.enter(await realm.kinit("bob", { ccache: "bob", args: ["-f"] }));
    const { code, reason, principal } = await refused();
    assert.deepEqual([code, principal], ["TICKET_NOT_FORWARDABLE", "bob@EXAMPLE.TEST"]);
    assert.match(String(reason), /bars this user/);
  });
});

test("our own ticket is got anew before it ends", async (context) => {
  const realm = await delegationRealm(context, { [ONE]: [TWO], [TWO]: [] });
  const last = await startProxy(context, realm);
  // Of the first proxy's own tickets alone.
  const lifetime = 10;
  const conf = await readFile(realm.env.KRB5_CONFIG as string, "utf8");
  const KRB5_CONFIG = path.join(realm.dir, "short.conf");
  await writeFile(KRB5_CONFIG, conf.replace(/ticket_lifetime = .*/, `ticket_lifetime = ${lifetime}s`));
  const first = await startProxy(
    context,
    realm,
    {
      upstreams: { next: upstream(last, TWO) },
      rules: [{ allow: EVERYTHING, via: "next" }],
    },
    { KRB5_CONFIG },
  );
  const origin = await startOrigin(context);
  const got = async () => {
    const log = await readFile(path.join(realm.dir, "kdc.log"), "utf8");
    return log.match(/AS_REQ .* ISSUE: .*, rcmd\/one\.example\.test@EXAMPLE\.TEST for krbtgt/g)?.length ?? 0;
  };
  realm.enter(await realm.kinit("alice"));
  await assertEchoed(first, origin);
  const before = await got();
  assert.notEqual(before, 0);
  await setTimeout((lifetime + 1) * 1000);
  await assertEchoed(first, origin);
  assert.ok((await got()) > before);
});

test("without a KDC nothing is done in the user's place, and all else goes on", async (context) => {
  const realm = await delegationRealm(context, { [ONE]: [TWO], [TWO]: [] });
  const last = await startProxy(context, realm);
  const first = await startProxy(context, realm, {
    upstreams: { next: upstream(last, TWO) },
    rules: [{ allow: { to: ["localhost"] } }, { allow: EVERYTHING, via: "next" }],
  });
  const origin = await startOrigin(context);
  const ticket = await realm.kinit("alice");
  await run("kvno", [ONE], { env: { ...realm.env, KRB5CCNAME: ticket } });
  realm.enter(ticket);
  await realm.stopKdc();
  await assertEchoed(first, origin, { destination: { host: "localhost", port: origin.port } });
  const later = first.later();
  await assert.rejects(through(first, origin.port), { code: "RULE_DENIED" });
  const { code, reason } = await first.audit(later);
  assert.equal(code, "NOT_DELEGATED");
  assert.match(
    String(reason),
    /we have none to act in its place with: .*no KDC of realm EXAMPLE\.TEST answers/,
  );
  assert.match(String((await first.waitForLog(({ msg }) => msg === "warning")).reason), /no KDC of realm/);

  await realm.startKdc();
  // It is asked again after a pause.
  const deadline = Date.now() + 60_000;
  for (;;) {
    const stream = await through(first, origin.port).catch((error) => {
      assert.equal(error.code, "RULE_DENIED");
      assert.ok(Date.now() < deadline, "the KDC is not asked again");
      return null;
    });
    stream?.destroy();
    if (stream !== null) break;
    await setTimeout(500);
  }
});
