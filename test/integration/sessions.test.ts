/**
 * What is tested: `gssocks sessions` and `gssocks kill`, with one process and with two: what is told of a session in each
 * step, rates, whose sessions; sessions ended in each step, by id and by user, with an audit record each; and what is said
 * where there is no server, no permission, or a mistake on the command line.
 */
import assert from "node:assert/strict";
import { chmodSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { CMD } from "../../src/protocol/constants.js";
import { encodeRequest } from "../../src/protocol/request.js";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { controlled } from "../support/controlled.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import { runToEnd, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI, ProxyServer } from "../support/proxy.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

for (const workers of [1, 2]) {
  test(`sessions in each step, workers: ${workers}`, async (context) => {
    const server = await controlled(context, async ({ dir }) => ({
      workers,
      listeners: [
        { address: "127.0.0.1:0" },
        {
          address: "127.0.0.1:0",
          tls: await makeCertificate(dir, "server", "DNS:localhost", await makeAuthority(dir)),
        },
      ],
      rules: [{ deny: { to: ["192.0.2.1"] } }, { allow: { to: ["127.0.0.0/8"] } }],
      // However busy the machine is, they are to be found as they began.
      timeouts: { drain: "0s", handshake: "1h", connect: "1h", bind: "1h" },
    }));
    const { proxy, realm } = server;
    const origin = await Origin.start(echo);
    const dialed = await UnacceptingOrigin.start();
    context.after(() => Promise.all([origin.stop(), dialed.stop()]));
    const [, tlsPort = 0] = proxy.ports;

    const silent = await RawClient.connect(proxy.port);
    const secured = await RawClient.connect(tlsPort);
    const identified = await RawClient.ready(proxy);
    const dialing = await RawClient.ready(proxy);
    dialing.send(dialing.seal(connectRequest("127.0.0.1", dialed.port)));
    const waiting = await RawClient.ready(proxy);
    const bind = { cmd: CMD.BIND, dst: { host: { kind: "ipv4", address: "127.0.0.1" }, port: 1 } } as const;
    assert.equal((await waiting.ask(encodeRequest(bind)))[1], 0);
    const associated = await RawClient.ready(proxy);
    const associate = {
      cmd: CMD.UDP_ASSOCIATE,
      dst: { host: { kind: "ipv4", address: "0.0.0.0" }, port: 0 },
    } as const;
    assert.equal((await associated.ask(encodeRequest(associate)))[1], 0);
    const relaying = await RawClient.through(proxy, origin);
    relaying.send(relaying.seal(Buffer.alloc(3000)));
    await relaying.openOctets(3000);
    realm.enter(await realm.kinit("bob"));
    const bobs = await Promise.all([1, 2, 3].map(() => RawClient.through(proxy, origin)));
    const clients = [silent, secured, identified, dialing, waiting, associated, relaying, ...bobs];
    context.after(() => {
      for (const client of clients) client.close();
    });

    const id = new Map<string, string>();
    await context.test("what is told of them", async () => {
      await server.session(dialing.address, ({ rule }) => rule === 2);
      await server.session(silent.address);
      await server.session(secured.address);
      const all = await server.sessions();
      for (const { client, session } of all) id.set(client, session);
      const told = (client: RawClient) => {
        const {
          session,
          pid,
          client: _,
          age,
          ...rest
        } = all.find((each) => each.client === client.address) ?? {};
        assert.match(session ?? "", /^[0-9a-f]{16}$/);
        assert.ok(age !== undefined && age >= 0 && age < 600);
        assert.equal(pid === proxy.pid, workers === 1);
        return rest;
      };
      assert.equal(all.length, clients.length);
      const begun = {
        state: "handshake",
        listener: `127.0.0.1:${proxy.port}`,
        principal: null,
        method: null,
        mechanism: null,
        level: null,
        command: null,
        destination: null,
        address: null,
        upstream: null,
        rule: null,
        bytesUp: 0,
        bytesDown: 0,
      };
      assert.deepEqual(told(silent), begun);
      assert.deepEqual(told(secured), { ...begun, listener: `127.0.0.1:${tlsPort}` });
      const alice = {
        ...begun,
        principal: "alice@EXAMPLE.TEST",
        method: "gssapi",
        mechanism: "krb5",
        level: "confidentiality",
      };
      assert.deepEqual(told(identified), alice);
      const asked = { ...alice, state: "request", rule: 2 };
      assert.deepEqual(told(dialing), {
        ...asked,
        command: "connect",
        destination: `127.0.0.1:${dialed.port}`,
      });
      assert.deepEqual(told(waiting), { ...asked, command: "bind", destination: "127.0.0.1:1" });
      assert.deepEqual(told(associated), {
        ...alice,
        state: "relay",
        command: "udp-associate",
        destination: "0.0.0.0:0",
      });
      const address = `127.0.0.1:${origin.port}`;
      const relay = { ...asked, state: "relay", command: "connect", destination: address, address };
      assert.deepEqual(told(relaying), { ...relay, bytesUp: 3000, bytesDown: 3000 });
      for (const bob of bobs) assert.deepEqual(told(bob), { ...relay, principal: "bob@EXAMPLE.TEST" });
    });

    await context.test("as JSON, of some users, with rates", async () => {
      const lines = async (pattern: string) => {
        const { code, stdout } = await server.run("sessions", "--json", "--user", pattern);
        assert.equal(code, 0);
        return stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line));
      };
      assert.equal((await lines("*@EXAMPLE.TEST")).length, 8);
      assert.equal((await lines("*b@*")).length, 3);
      assert.deepEqual(await lines("nobody@EXAMPLE.TEST"), []);
      // While it runs one of them carries something.
      const until = lines("al*ce@EXAMPLE.TEST");
      let over = false;
      void until.finally(() => {
        over = true;
      });
      while (!over) {
        relaying.send(relaying.seal(Buffer.alloc(100)));
        await relaying.openOctets(100);
      }
      const rates = (await until).map(({ client, rateUp, rateDown }) => [client, rateUp > 0, rateDown > 0]);
      assert.deepEqual(
        rates.filter(([, up, down]) => up && down),
        [[relaying.address, true, true]],
      );
    });

    await context.test("as a table, once and again", async () => {
      const { code, stdout } = await server.run("sessions");
      assert.equal(code, 0);
      const [head = "", ...rows] = stdout.trimEnd().split("\n");
      assert.match(
        head,
        /^SESSION +STATE +PRINCIPAL +CLIENT +DESTINATION +RULE +LEVEL +AGE +UP +DOWN +UP +DOWN$/,
      );
      assert.equal(rows.length, clients.length);
      const row = rows.find((text) => text.startsWith(id.get(relaying.address) ?? "?"));
      assert.match(
        row ?? "",
        / relay +alice@EXAMPLE\.TEST +127\S+ +connect 127\S+ +2 +confidentiality +\d+s/,
      );
      const watch = await start(process.execPath, [CLI, "sessions", "--watch", "--socket", server.socket]);
      context.after(() => watch.stop());
      let heads = 0;
      await watch.waitForLine({ exec: (line) => (line.startsWith("SESSION") && ++heads > 1 ? line : null) });
    });

    await context.test("one by one, in each step", async () => {
      for (const client of [silent, secured, identified, dialing, waiting, associated, relaying]) {
        const session = id.get(client.address) as string;
        const { code, stdout, stderr } = await server.run("kill", session);
        assert.deepEqual([code, stdout, stderr], [0, `ended ${session}\n`, ""]);
        await client.farewell();
        const record = await proxy.audit((line) => line.session === session);
        assert.deepEqual(
          [record.code, record.reason],
          ["KILLED", "an administrator ended the session (gssocks kill)"],
        );
        assert.equal((await server.run("kill", session)).stderr, `gssocks: no such session: ${session}\n`);
      }
      assert.equal((await server.sessions()).length, bobs.length);
    });

    await context.test("several at a time, and all of a user's", async () => {
      const [first = "", second = ""] = bobs.map(({ address }) => id.get(address));
      const some = await server.run("kill", first, "0123456789abcdef", second);
      assert.deepEqual(
        [some.code, some.stdout.split("\n").sort(), some.stderr],
        [1, ["", `ended ${first}`, `ended ${second}`].sort(), "gssocks: no such session: 0123456789abcdef\n"],
      );
      assert.equal((await server.run("kill", "--user", "bob@*")).stderr, "gssocks: bob@* has no session\n");
      assert.equal((await server.run("kill", "--user", "bob@EXAMPLE.TEST")).code, 0);
      for (const bob of bobs) assert.equal((await bob.farewell()).how, "reset");
      assert.deepEqual(await server.sessions(), []);
      assert.equal((await server.run("kill", "--user", "bob@EXAMPLE.TEST")).code, 1);
    });
  });
}

test("where they can't", async (context) => {
  const server = await controlled(context);
  const { proxy, socket, realm } = server;

  await context.test("another user may not ask", async () => {
    // Root alone can be another user.
    if (process.geteuid?.() !== 0) return;
    const asks =
      'require("net").connect("control").on("error", ({ code }) => console.log(code)).on("connect", function () { console.log("in"); this.destroy(); })';
    const args = ["--reuid=65534", "--clear-groups", process.execPath, "-e", asks];
    // From within the directory: those above it may be closed to that user, which is not what is looked at here.
    const asked = async () => (await runToEnd("setpriv", args, { cwd: path.dirname(socket) })).stdout;
    assert.equal(statSync(socket).mode & 0o7777, 0o600);
    assert.equal(await asked(), "EACCES\n");
    chmodSync(socket, 0o666);
    assert.equal(await asked(), "in\n");
    chmodSync(socket, 0o600);
  });

  await context.test("mistakes on the command line", async () => {
    for (const [args, message] of [
      [["kill"], /name either sessions or --user/],
      [["kill", "1234", "--user", "x"], /name either sessions or --user/],
      [["sessions", "--json", "--watch"], /--json.*cannot be used with.*--watch/],
      [["reload", "--config", path.join(realm.dir, "none.yaml")], /none\.yaml: cannot be read/],
    ] as const) {
      const { code, stderr } = await gssocks([...args]);
      assert.equal(code, 2);
      assert.match(stderr, message);
    }
  });

  await context.test("while the server drains: sessions and kill, but no reload", async () => {
    await server.reload({ timeouts: { drain: "1h" } });
    const origin = await Origin.start(echo);
    context.after(() => origin.stop());
    const client = await RawClient.through(proxy, origin);
    context.after(() => client.close());
    proxy.signal("SIGTERM");
    await proxy.waitForLog(({ msg }) => msg === "draining");
    const { code, stderr } = await server.run("reload");
    assert.deepEqual([code, stderr], [1, "gssocks: the server stops; it takes no other configuration\n"]);
    const { session } = await server.session(client.address);
    assert.equal((await server.run("kill", session)).code, 0);
    assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  });

  await context.test("no server: what is missing is told", async () => {
    for (const command of ["reload", "sessions"]) {
      const { code, stderr } = await server.run(command);
      assert.deepEqual(
        [code, stderr],
        [1, `gssocks: can't ask the server at ${socket}: ENOENT (there is no such socket)\n`],
      );
    }
    // systemd tells where, those of its own services too.
    const { stderr } = await gssocks(["reload"], { env: { RUNTIME_DIRECTORY: `${realm.dir}/there:/else` } });
    assert.match(stderr, /can't ask the server at \S+\/there\/control/);
  });
});

test("without a section the socket is in systemd's directory, if there is one", async (context) => {
  const { realm } = await proxiedRealm(context);
  const directory = path.join(realm.dir, "runtime");
  await mkdir(directory, { mode: 0o755 });
  const proxy = await ProxyServer.start(realm, {}, { cli: CLI, env: { RUNTIME_DIRECTORY: directory } });
  context.after(() => proxy.stop());
  const args = ["reload", "--socket", path.join(directory, "control")];
  assert.equal((await gssocks(args)).stdout, "reloaded; sessions ended by the new rules: 0\n");
  await proxy.stop();
  assert.match((await gssocks(args)).stderr, /no such socket/);
});
