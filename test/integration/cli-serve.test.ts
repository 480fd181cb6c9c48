/**
 * `gssocks serve` as a process: one "listening" line per listener, exit status 0 on SIGTERM and on SIGINT when the open
 * sessions have ended, 1 when it can't listen or its log can't be written.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import path from "node:path";
import { test } from "node:test";
import { connect } from "../../src/client/socks-client.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import { runToEnd, start } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("every listener is told and serves; SIGTERM lets the open session end", async (t) => {
  const listeners = [
    { address: "127.0.0.1:0" },
    { address: "127.0.0.1:0", gssapi: { protectionLevels: ["integrity"] } },
  ];
  const { proxy } = await proxiedRealm(t, { listeners });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  assert.equal(new Set(proxy.ports).size, 2);
  const told = proxy.log().filter(({ msg }) => msg === "listening");
  assert.deepEqual(
    told.map(({ address }) => address),
    proxy.ports.map((port) => `127.0.0.1:${port}`),
  );

  const destination = { host: "127.0.0.1", port: origin.port };
  const through = (port: number | undefined) =>
    connect({
      proxy: { host: "localhost", port: port ?? 0 },
      destination,
      levels: ["confidentiality", "integrity"],
    });
  const [first, second] = await Promise.all([through(proxy.ports[0]), through(proxy.ports[1])]);
  assert.equal(first.session.level, "confidentiality");
  assert.equal(second.session.level, "integrity");
  second.end().resume();
  await once(second, "end");

  proxy.signal("SIGTERM");
  const draining = await proxy.waitForLog(({ msg }) => msg === "draining");
  assert.equal(draining.sessions, 1);
  for (const port of proxy.ports) {
    const [error] = await once(connectTcp(port, "127.0.0.1"), "error");
    assert.equal(error.code, "ECONNREFUSED");
  }
  first.end("still here");
  const octets: Buffer[] = await first.toArray();
  assert.equal(Buffer.concat(octets).toString(), "still here");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  assert.equal(proxy.last?.msg, "stopped");
});

test("SIGINT ends it too", async (t) => {
  const { proxy } = await proxiedRealm(t);
  proxy.signal("SIGINT");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
});

test("an address that can't be had", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const config = path.join(realm.dir, "config.yaml");
  const listeners = [{ address: "127.0.0.1:0" }, { address: `127.0.0.1:${proxy.port}` }];
  await writeFile(config, JSON.stringify({ listeners, gssapi: { keytab: realm.keytab } }));
  const { code, stdout, stderr } = await gssocks(["serve", "--config", config], { env: realm.env });
  assert.equal(code, 1);
  const says = `can't listen on 127.0.0.1 port ${proxy.port}: EADDRINUSE (another program listens there)`;
  assert.equal(stderr, `gssocks: ${says}\n`);
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  assert.deepEqual([last.severity, last.code, last.reason], ["fatal", "CANNOT_LISTEN", says]);
});

test("a log that can't be written ends the server", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  const config = path.join(realm.dir, "config.yaml");
  const settings = { listeners: [{ address: "127.0.0.1:0" }], gssapi: { keytab: realm.keytab } };
  await writeFile(config, JSON.stringify(settings));
  const serve = `exec "${process.execPath}" "${CLI}" serve --config "${config}"`;

  await t.test("the disk is full", async () => {
    const { code, stderr } = await runToEnd("sh", ["-c", `${serve} >/dev/full`], { env: realm.env });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^gssocks: the log can't be written: ENOSPC[^\n]*\n$/);
  });

  await t.test("nobody reads it any more", async () => {
    // The reader of the pipe ends after the second line; more come with the clients.
    const pipe = `{ ${serve}; } 2>"$0" | head -n 2; cat "$0" >&2`;
    const shell = await start("bash", ["-o", "pipefail", "-c", pipe, path.join(realm.dir, "stderr")], {
      env: realm.env,
    });
    const [, port] = await shell.waitForLine(/"port":(\d+),"msg":"listening"/);
    let gone = false;
    void shell.exited.then(() => {
      gone = true;
    });
    while (!gone) {
      const client = connectTcp(Number(port), "127.0.0.1").on("error", () => {});
      client.end("no SOCKS").resume();
      await new Promise((closed) => client.once("close", closed));
    }
    assert.match(shell.stderr(), /^gssocks: the log can't be written: EPIPE[^\n]*\n$/);
  });
});
