/**
 * What is tested: another configuration for a server that runs, of one process and of two. A bad file changes nothing,
 * and is told; so does one of which a part needs a restart, or can't be had. Rules hold at once: for sessions that begin,
 * for those whose request is yet to come, and for open ones, of which those that are denied end with an audit record.
 * Listeners come, go and change what they ask of clients; sessions outlive the listener they came by.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { REP } from "../../src/protocol/constants.js";
import { controlled } from "../support/controlled.js";
import { echo, Origin } from "../support/origin.js";
import type { ProxyServer } from "../support/proxy.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";
import { onWorker, workersOf } from "../support/workers.js";

const LOOPBACK = { allow: { to: ["127.0.0.0/8", "::1", "localhost"] } };

async function begin(context: TestContext, workers: number) {
  const server = await controlled(context, { workers });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  const open = async (port = server.proxy.port) => {
    const client = await RawClient.through({ port }, origin);
    context.after(() => client.close());
    return client;
  };
  return { server, proxy: server.proxy, origin, open };
}

async function assertEchoes(client: RawClient, text = "octets"): Promise<void> {
  client.send(client.seal(Buffer.from(text)));
  assert.equal((await client.openOctets(text.length)).toString(), text);
}

/** Whatever is refused, open sessions and new ones go on as before. */
async function assertServes(open: () => Promise<RawClient>, ...clients: RawClient[]): Promise<void> {
  for (const client of [...clients, await open()]) await assertEchoes(client);
}

/** The codes of the first `count` reloads that came to nothing, once they are told. */
async function failures(proxy: ProxyServer, count: number): Promise<unknown[]> {
  const told = () => proxy.log().filter(({ msg }) => msg === "reload failed");
  await proxy.waitForLog(() => told().length >= count);
  return told().map(({ code }) => code);
}

function refusal(code: string, message: RegExp) {
  return (error: { code: string; message: string }) => error.code === code && message.test(error.message);
}

for (const workers of [1, 2]) {
  const by = workers === 1 ? "one process" : `${workers} workers`;

  test(`what can't be taken changes nothing: ${by}`, async (context) => {
    const { server, proxy, open } = await begin(context, workers);
    const { realm, reload } = { realm: server.realm, reload: server.reload.bind(server) };
    const client = await open();

    await context.test("a file with mistakes, all of them told, exit status 2", async () => {
      await proxy.rewrite({ rules: [{ deny: {}, to: [] }], log: { level: "loud" } });
      const { code, stderr, stdout } = await server.run("reload");
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, /config\.yaml:\d+: rules\[0\]\.to: unknown key/);
      assert.match(stderr, /config\.yaml:\d+: log\.level: expected one of/);
      assert.deepEqual(await failures(proxy, 1), ["CONFIG_INVALID"]);
      await assertServes(open, client);
    });

    await context.test("a file that is no YAML", async () => {
      await writeFile(proxy.file, `control: { socket: ${server.socket} }\nrules: [\n`);
      assert.equal((await server.run("reload")).code, 2);
      await assertServes(open, client);
    });

    await context.test("keys that need a restart, each of them told", async () => {
      const rules = [{ deny: { to: ["127.0.0.0/8"] } }];
      await assert.rejects(
        reload({ rules, workers: 7, control: { socket: `${server.socket}2` }, identd: {} }),
        refusal("RESTART_NEEDED", /^a restart is needed for workers, control, identd; nothing was changed$/),
      );
      await proxy.rewrite({ rules, workers: 7 });
      const { code, stderr } = await server.run("reload");
      assert.deepEqual(
        [code, stderr],
        [1, "gssocks: a restart is needed for workers; nothing was changed\n"],
      );
      await assertServes(open, client);
    });

    await context.test("a keytab that is not there", async () => {
      const keytab = path.join(realm.dir, "no.keytab");
      await assert.rejects(reload({ gssapi: { keytab } }), /no\.keytab/);
      await assertServes(open, client);
    });

    await context.test("TLS files that are not there", async () => {
      const [certificate, key] = ["c.pem", "k.pem"].map((file) => path.join(realm.dir, file));
      const listeners = [{ address: "127.0.0.1:0" }, { address: "127.0.0.1:0", tls: { certificate, key } }];
      await assert.rejects(reload({ listeners }), refusal("TLS_FILES", /c\.pem can't be read/));
      await assertServes(open, client);
    });

    await context.test(
      "an address that somebody has; the one before it in the list is closed again",
      async () => {
        const other = createServer().listen(0, "127.0.0.1");
        await new Promise((resolve) => other.once("listening", resolve));
        const { port } = other.address() as { port: number };
        const free = port === 65535 ? port - 1 : port + 1;
        const addresses = ["127.0.0.1:0", `127.0.0.3:${free}`, `127.0.0.1:${port}`];
        await assert.rejects(
          reload({ listeners: addresses.map((address) => ({ address })) }),
          refusal("CANNOT_LISTEN", new RegExp(`port ${port}: EADDRINUSE`)),
        );
        await assert.rejects(RawClient.connect(free, "127.0.0.3"), { code: "ECONNREFUSED" });
        other.close();
        await assertServes(open, client);
      },
    );

    const codes = await failures(proxy, 7);
    assert.deepEqual(codes.slice(0, 4), [
      "CONFIG_INVALID",
      "CONFIG_INVALID",
      "RESTART_NEEDED",
      "RESTART_NEEDED",
    ]);
    assert.equal(proxy.log().filter(({ msg }) => msg === "reloaded").length, 0);
  });

  test(`rules: ${by}`, async (context) => {
    const { server, proxy, origin, open } = await begin(context, workers);
    const other = await Origin.start(echo);
    const dialed = await UnacceptingOrigin.start();
    context.after(() => Promise.all([other.stop(), dialed.stop()]));
    const staying = await open();
    // On each worker there is one.
    const denied: RawClient[] = [];
    for (const worker of workersOf(proxy))
      denied.push(await onWorker(proxy, worker, () => RawClient.through(proxy, other)));
    if (workers === 1) denied.push(await RawClient.through(proxy, other));
    const early = await RawClient.ready(proxy);
    const dialing = await RawClient.ready(proxy);
    dialing.send(dialing.seal(connectRequest("127.0.0.1", dialed.port)));
    context.after(() => {
      for (const client of [...denied, early, dialing]) client.close();
    });
    await server.session(dialing.address, ({ state, rule }) => state === "request" && rule === 1);
    const ports = [other.port, dialed.port].map((port) => `127.0.0.1:${port}`);

    const { ended, added, removed } = await server.reload({ rules: [{ deny: { to: ports } }, LOOPBACK] });

    assert.deepEqual([ended, added, removed], [denied.length + 1, [], []]);
    for (const client of denied) {
      assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "reset" });
      const record = await proxy.audit(({ client: address }) => address === client.address);
      assert.deepEqual(
        [record.outcome, record.code, record.rule, record.reason],
        [
          "denied",
          "RULES_CHANGED",
          1,
          `the rules have changed: ${ports[0]} is denied: rule 1 denies ${ports[0]}`,
        ],
      );
    }
    assert.equal((await dialing.open())[1], REP.NOT_ALLOWED);
    assert.equal((await proxy.audit(({ client }) => client === dialing.address)).code, "RULES_CHANGED");
    assert.equal(await early.request("127.0.0.1", other.port), REP.NOT_ALLOWED);
    assert.equal((await proxy.audit(({ client }) => client === early.address)).code, "RULE_DENIED");
    await assertServes(open, staying);
    await assert.rejects(RawClient.through(proxy, other), /REP 2/);
    // The same rules once more end nobody, and those before let everybody in again.
    assert.equal((await server.reload({ rules: [{ deny: { to: ports } }, LOOPBACK] })).ended, 0);
    assert.equal((await server.reload({ rules: [{ deny: { to: ["192.0.2.1"] } }, LOOPBACK] })).ended, 0);
    const again = await RawClient.through(proxy, other);
    context.after(() => again.close());
    await assertEchoes(again);
    assert.equal((await server.session(again.address)).rule, 2);
    assert.equal((await server.session(staying.address)).rule, 1);
    assert.equal(origin.sockets.length, 2);
  });

  test(`listeners: ${by}`, async (context) => {
    const { server, proxy, origin, open } = await begin(context, workers);
    const client = await open();
    const listening = (before: number) =>
      proxy
        .log()
        .filter(({ msg }) => msg === "listening")
        .slice(before)
        .map(({ address }) => address);

    const { added } = await server.reload({
      listeners: [
        { address: "[::1]:0" },
        { address: "127.0.0.1:0", gssapi: { protectionLevels: ["integrity"] } },
        { address: "*:0" },
      ],
    });
    assert.equal(added.length, 2);
    await proxy.waitForLog(({ msg }) => msg === "reloaded");
    assert.deepEqual(listening(1), added);
    const [six, every] = added.map((address) => Number(/:(\d+)$/.exec(address)?.[1])) as [number, number];
    // Those that are new are served, by each worker; the one that stays asks something else of its clients.
    for (const worker of workers === 1 ? [null] : workersOf(proxy)) {
      const through = async (host: string, port: number, level: 1 | 2) => {
        const act = () => RawClient.through({ host, port }, origin, { level });
        const raw = worker === null ? await act() : await onWorker(proxy, worker, act);
        raw.close();
      };
      await through("::1", six, 2);
      await through("127.0.0.1", every, 2);
      await through("127.0.0.1", proxy.port, 1);
    }
    await assert.rejects(open(), /level 1 agreed/);
    await assertEchoes(client);

    const outcome = await server.reload({ listeners: [{ address: "*:0" }] });
    assert.deepEqual(outcome, {
      added: [],
      removed: [`127.0.0.1:${proxy.port}`, added[0]].sort().reverse(),
      ended: 0,
    });
    await assert.rejects(RawClient.connect(proxy.port), { code: "ECONNREFUSED" });
    await assert.rejects(RawClient.connect(six, "::1"), { code: "ECONNREFUSED" });
    // What came by a listener that is gone goes on.
    await assertEchoes(client);
    await assertEchoes(await open(every));

    // A worker that takes another's place has the listeners and the rules of now.
    const [first] = workersOf(proxy);
    if (first !== undefined) {
      process.kill(first, "SIGKILL");
      await proxy.waitForLog(({ msg }) => msg === "worker died");
      await proxy.waitForLog(({ msg }) => msg === "worker started" && workersOf(proxy).length === workers);
      for (const worker of workersOf(proxy))
        await assertEchoes(await onWorker(proxy, worker, () => open(every)));
    }
  });
}
