/**
 * What is tested: what a supervisor is told by `gssocks serve`, of one process and of several, and by `gssocks identd`
 * (sd_notify(3)): that they serve, reload and stop, and that the event loop turns (WATCHDOG=1); on a socket with a path and
 * on an abstract one. What their children are told of it: nothing.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { scratch } from "../support/identd.js";
import { start } from "../support/processes.js";
import { CLI } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { ServerProcess } from "../support/server-process.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { UnixReceiver } from "../support/unix-receiver.js";

async function supervised(t: TestContext, command: string, socket: string, config: object) {
  const file = path.join(await scratch(t), "config.yaml");
  const write = (text: string) => writeFileSync(file, text);
  write(stringify({ listeners: [{ address: "127.0.0.1:0" }], ...config }));
  const receiver = await UnixReceiver.bind(t, socket);
  receiver.read();
  const env = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "100000" };
  const child = await start(process.execPath, [CLI, command, "--config", file], { env });
  const server = new ServerProcess(child, command, []);
  showOnFailure(t, async () => server.logs());
  t.after(() => server.stop());
  /** Once there are so many, without the watchdog's. */
  const told = async (count: number): Promise<string[]> => {
    for (let all = 1; ; all += 1) {
      const texts = (await receiver.datagrams(all)).map((each) => each.toString());
      const others = texts.filter((text) => text !== "WATCHDOG=1");
      if (others.length >= count) return others.map((text) => text.replace(/USEC=\d+/, "USEC=N"));
    }
  };
  return { server, receiver, told, write };
}

for (const [workers, abstract] of [
  [1, false],
  [2, true],
] as const) {
  test(`serve, ${workers} process(es)`, async (t) => {
    const realm = await Realm.start();
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    const dir = await scratch(t);
    const socket = abstract ? `@${path.basename(dir)}` : path.join(dir, "notify");
    const config = { gssapi: { keytab: realm.keytab }, workers, timeouts: { drain: "0s" } };
    const { server, told, receiver, write } = await supervised(t, "serve", socket, config);
    const [ready] = await told(1);
    assert.equal(ready, "READY=1\nSTATUS=Serving");
    await server.waitForLog(({ msg }) => msg === "listening");

    const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
      .trim()
      .split(" ");
    for (const pid of children.filter((each) => each !== ""))
      assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "latin1"), /NOTIFY_|WATCHDOG_/);

    const reloaded = ["RELOADING=1\nMONOTONIC_USEC=N\nSTATUS=Reloading", "READY=1\nSTATUS=Serving"];
    server.signal("SIGHUP");
    assert.deepEqual((await told(3)).slice(1), reloaded);
    // One that fails is over as well.
    write("nonsense: true\n");
    server.signal("SIGHUP");
    assert.deepEqual((await told(5)).slice(3), reloaded);
    await server.waitForLog(({ msg }) => msg === "reload failed");

    const before = (await receiver.datagrams(1)).length;
    await receiver.datagrams(before + 3);
    server.signal("SIGTERM");
    assert.deepEqual((await told(6)).slice(5), ["STOPPING=1\nSTATUS=Waiting for open sessions"]);
    assert.equal((await server.exited).code, 0);
  });
}

test("identd", async (t) => {
  const socket = path.join(await scratch(t), "notify");
  const { server, told } = await supervised(t, "identd", socket, { identd: { address: "127.0.0.1:0" } });
  assert.deepEqual(await told(1), ["READY=1\nSTATUS=Serving"]);
  server.signal("SIGTERM");
  assert.deepEqual((await told(2)).slice(1), ["STOPPING=1\nSTATUS=Ending"]);
  assert.equal((await server.exited).code, 0);
});

test("a supervisor that is not there keeps nobody from serving", async (t) => {
  const dir = await scratch(t);
  const file = path.join(dir, "config.yaml");
  writeFileSync(file, stringify({ listeners: [{ address: "127.0.0.1:0", methods: ["none"] }] }));
  const env = { NOTIFY_SOCKET: path.join(dir, "none") };
  const child = await start(process.execPath, [CLI, "serve", "--config", file], { env, test: t });
  const server = new ServerProcess(child, "serve", []);
  await server.waitForLog(({ msg }) => msg === "listening");
  assert.equal((await server.stop()).code, 0);
});
