/**
 * What is tested: `gssocks serve` and `gssocks forward` on sockets that were opened for them: by systemd-socket-activate
 * (the client that wakes it is served), by a program that passes several, to one process and to workers; a reload; a name
 * for which there is no socket and a socket for which there is no listener; what children see of the environment.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { startActivated } from "../support/activated.js";
import { scratch } from "../support/identd.js";
import { until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { type Running, run, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { Realm } from "../support/realm.js";
import { listening, ServerProcess } from "../support/server-process.js";
import { showOnFailure } from "../support/show-on-failure.js";

const ACTIVATE = "/usr/bin/systemd-socket-activate";
const skip = existsSync(ACTIVATE) ? false : "there is no systemd-socket-activate here";

async function prepared(t: TestContext, config: object) {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const dir = await scratch(t);
  const file = path.join(dir, "config.yaml");
  const write = (other: object = {}) =>
    writeFileSync(
      file,
      stringify({
        gssapi: { keytab: realm.keytab },
        rules: [{ allow: { to: ["127.0.0.0/8"] } }],
        timeouts: { drain: "0s" },
        ...config,
        ...other,
      }),
    );
  write();
  return { realm, origin, dir, write, command: [process.execPath, CLI, "serve", "--config", file] };
}

function watched(t: TestContext, process: Running, name: string, ports: number[] = []): ServerProcess {
  const server = new ServerProcess(process, name, ports);
  showOnFailure(t, async () => server.logs());
  t.after(() => server.stop());
  return server;
}

async function assertServed(client: RawClient, origin: Origin): Promise<void> {
  await client.authenticate();
  assert.equal(await client.negotiate(2), 2);
  assert.equal(await client.request("127.0.0.1", origin.port), 0x00);
  client.send(client.seal(Buffer.from("hello")));
  assert.equal((await client.open()).toString(), "hello");
  client.close();
}

test("systemd-socket-activate starts it for the first client", { skip }, async (t) => {
  const { realm, origin, dir, command } = await prepared(t, { listeners: [{ address: "systemd:proxy" }] });
  const socket = path.join(dir, "socket");
  // It passes on nothing of the environment unasked.
  const env = Object.keys(realm.env).flatMap((name) => ["-E", name]);
  const args = ["-l", socket, "--fdname=proxy", ...env, ...command];
  const server = watched(t, await start(ACTIVATE, args, { env: realm.env }), "serve");
  await until("it listens", () => existsSync(socket));
  assert.deepEqual(server.log(), []);
  await assertServed(await RawClient.connectUnix(socket), origin);
  const record = await server.audit();
  assert.deepEqual([record.listener, record.principal], ["systemd:proxy", "alice@EXAMPLE.TEST"]);
  await assertServed(await RawClient.connectUnix(socket), origin);
  server.signal("SIGTERM");
  assert.equal((await server.exited).code, 0);
  // It is systemd's, which may start us again.
  assert.ok(existsSync(socket));
});

for (const workers of [1, 2]) {
  test(`several sockets, ${workers} process(es), and a reload`, async (t) => {
    const all = ["systemd:tcp", "systemd:pair", "systemd:pair"].map((address) => ({ address }));
    const { realm, origin, dir, write, command } = await prepared(t, { listeners: all, workers });
    const unix = path.join(dir, "unix");
    const sockets = [
      ["pair", "127.0.0.2"],
      ["tcp", "127.0.0.1"],
      ["pair", unix],
    ] as const;
    const child = await startActivated(sockets, command, { env: realm.env });
    const server = watched(t, child, "serve");
    const ports = await listening(child, 3);
    const addresses = () => server.log().filter(({ msg }) => msg === "listening");
    assert.deepEqual(
      addresses().map(({ address, port }) => [String(address).replace(/:\d+$/, ""), port]),
      [
        ["127.0.0.1", ports[0]],
        ["127.0.0.2", ports[1]],
        ["systemd:pair", null],
      ],
    );
    const clients = async () => [
      await RawClient.connect(ports[0] as number, "127.0.0.1"),
      await RawClient.connect(ports[1] as number, "127.0.0.2"),
      await RawClient.connectUnix(unix),
    ];
    for (const client of await clients()) await assertServed(client, origin);

    const reload = async () => {
      const reloads = () => server.log().filter(({ msg }) => msg === "reloaded").length;
      const before = reloads();
      server.signal("SIGHUP");
      await until("it is reloaded", () => reloads() > before);
    };
    // Nobody accepts there meanwhile, and who comes waits.
    write({ listeners: all.slice(0, 1) });
    await reload();
    const [first, ...waiting] = await clients();
    await assertServed(first as RawClient, origin);
    write();
    await reload();
    for (const client of waiting) await assertServed(client, origin);

    const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
      .trim()
      .split(" ");
    for (const pid of children.filter((each) => each !== ""))
      assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "latin1"), /LISTEN_/);
    assert.equal((await server.stop()).code, 0);
  });
}

test("a name without a socket, and a socket without a listener", async (t) => {
  const { realm, write, command } = await prepared(t, { listeners: [{ address: "systemd:missing" }] });
  const sockets = [["other", "127.0.0.1"]] as const;
  const failed = watched(t, await startActivated(sockets, command, { env: realm.env }), "serve");
  assert.equal((await failed.exited).code, 1);
  assert.match(failed.process.stderr(), /systemd has passed no socket that is named missing/);

  write({ listeners: [{ address: "127.0.0.1:0" }] });
  const server = watched(t, await startActivated(sockets, command, { env: realm.env }), "serve");
  const { reason } = await server.waitForLog(({ msg }) => msg === "warning");
  assert.equal(reason, "systemd has passed a socket that no listener takes: other");
});

test("the forwarder", { skip }, async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const web = await Origin.start((socket) => {
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
  });
  t.after(() => web.stop());
  const socket = path.join(await scratch(t), "forward");
  const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME ?? "", XDG_RUNTIME_DIR: undefined };
  const passed = Object.keys(env).flatMap((name) => ["-E", name]);
  const args = ["-l", socket, "--fdname=proxy", ...passed, process.execPath, CLI, "forward"];
  const options = ["--listen", "systemd:proxy", "--proxy", proxy.address, "--log", "json"];
  const forwarder = watched(t, await start(ACTIVATE, [...args, ...options], { env }), "forward");
  await until("it listens", () => existsSync(socket));
  const url = `http://localhost:${web.port}/`;
  const curl = ["-q", "-sS", "--max-time", "60", "--noproxy", "", "-x", `socks5h://localhost${socket}`, url];
  assert.equal((await run("curl", curl)).stdout, "hello");
  assert.equal((await proxy.audit()).principal, "alice@EXAMPLE.TEST");
  assert.equal((await forwarder.stop()).code, 0);
});
