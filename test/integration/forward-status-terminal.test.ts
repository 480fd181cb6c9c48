/**
 * What is tested: `gssocks forward --status` on a real terminal: redrawn in place as a ticket comes and a proxy goes, cut to the
 * window's size and drawn anew when that changes, with names that would do something to a terminal; ended by ^C, stopped by ^Z, ended
 * with its forwarder, each time with the screen as it was before.
 */
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { CMD } from "../../src/protocol/constants.js";
import { CommandClient, endpoint } from "../support/command-client.js";
import { Forwarder } from "../support/forwarder.js";
import { gssocks } from "../support/gssocks.js";
import { scratch } from "../support/identd.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { TerminalWindow } from "../support/terminal-window.js";

/** So many proxies that are not there, and one that is. */
const MANY = 40;

test("on a terminal", async (t) => {
  const { realm, proxy } = await proxiedRealm(t, { timeouts: { drain: "0s" } });
  const XDG_RUNTIME_DIR = await scratch(t);
  chmodSync(XDG_RUNTIME_DIR, 0o700);
  const env = { ...realm.env, KRB5CCNAME: `FILE:${realm.dir}/late`, XDG_RUNTIME_DIR };
  const file = path.join(XDG_RUNTIME_DIR, "forward.yaml");
  const configuration = (proxies: readonly string[], ccache: string) =>
    writeFileSync(
      file,
      stringify({
        listeners: [{ address: "127.0.0.1:0" }],
        upstreams: { next: { proxies, gssapi: { ccache } } },
      }),
    );
  configuration([proxy.address], env.KRB5CCNAME);
  const forwarder = await Forwarder.start(["--config", file], env);
  showOnFailure(t, () => forwarder.logs());
  t.after(() => forwarder.stop());
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const client = () => CommandClient.ready(forwarder, "no authentication");

  const command = `"${process.execPath}" "${CLI}" forward --status`;
  const size = { columns: 160, rows: 24 };
  const window = await TerminalWindow.open(t, `echo before; ${command}; echo "status $?"`, env, size);
  const row = (lines: readonly string[], pattern: RegExp) => lines.some((line) => pattern.test(line));

  await t.test("it is redrawn in place when a ticket comes", async () => {
    await window.until((lines) => row(lines, /^next +none +- +- +-$/));
    const reason = (await window.lines()).join(" ").replace(/ +/g, " ");
    assert.match(reason, / next: \S+ there is no ticket in the ccache FILE:\S+: get one with kinit /);
    assert.equal(await window.variable("alternate_on"), "1");
    assert.equal(await window.variable("cursor_flag"), "0");
    await realm.kinit("alice", { ccache: "late" });
    const lines = await window.until((lines) => row(lines, /^next +alice@EXAMPLE\.TEST +FILE/));
    assert.equal(lines.filter((line) => line.startsWith("UPSTREAM")).length, 2, lines.join("\n"));
    assert.match(lines[0] ?? "", /^sessions: 0 open, 0 since the start/);
    assert.ok(!row(lines, /kinit|before/), "nothing is left of what was there");
  });

  await t.test("sessions come and go", async () => {
    const session = await client();
    await session.ask(CMD.CONNECT, endpoint("127.0.0.1", origin.port));
    await window.until((lines) => row(lines, /^[0-9a-f]{16} +relay +.*connect 127\.0\.0\.1:/));
    session.close();
    const lines = await window.until((lines) => (lines[0] ?? "").startsWith("sessions: 0 open, 1 since"));
    assert.ok(!row(lines, /^SESSION/));
  });

  await t.test("many proxies, in windows of many sizes", async () => {
    const proxies = Array.from({ length: MANY }, (_, index) => `p${index}.example.test:1`);
    configuration([...proxies, proxy.address], env.KRB5CCNAME);
    forwarder.signal("SIGHUP");
    const large = await window.until((lines) => row(lines, /^next +p0\.example\.test:1 /));
    assert.equal(large.length, 24);
    assert.match(large.at(-1) ?? "", /^\(\d+ more lines\)$/);
    for (const [columns, rows] of [
      [30, 10],
      [8, 3],
      [200, 60],
    ] as const) {
      await window.resize(columns, rows);
      const whole = rows > MANY;
      // A line too long would have gone on in the next one.
      const lines = await window.until(
        (lines) => /^sessions/.test(lines[0] ?? "") && row(lines, /^\(\d+ mor/) !== whole,
      );
      assert.ok(lines.length <= rows);
      if (whole) assert.ok(row(lines, new RegExp(`^next +${proxy.address} `)));
      else assert.match(lines.at(-1) ?? "", /^\(\d+ mor/);
    }
    await window.resize(160, 24);
  });

  await t.test("names that would do something to a terminal", async () => {
    const hostile = `FILE:${realm.dir}/\x1b[2J\u009b2J\u202e\x07`;
    configuration([proxy.address], hostile);
    forwarder.signal("SIGHUP");
    const lines = await window.until((lines) => row(lines, /^next +none/));
    assert.match(lines.join(" ").replace(/ +/g, " "), /ccache FILE:\S+\/\?\[2J\?2J\?\?: get one with kinit/);
    const { stdout, code } = await gssocks(["forward", "--status", "--json"], { env });
    assert.equal(code, 3);
    assert.match(stdout, /^[\x20-\x7e]+\n$/);
    const { ticket } = JSON.parse(stdout).upstreams[0];
    assert.ok(ticket.error.message.includes("\u202e"), stdout);
  });

  await t.test("^C ends it, and what was there before is there again", async () => {
    await window.type("C-c");
    const lines = await window.until((lines) => row(lines, /^status/));
    assert.deepEqual(lines.slice(0, 2), ["before", "status 3"]);
    assert.equal(await window.variable("alternate_on"), "0");
  });
});

test("a forwarder that ends, and ^Z", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const XDG_RUNTIME_DIR = await scratch(t);
  chmodSync(XDG_RUNTIME_DIR, 0o700);
  const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME, XDG_RUNTIME_DIR };
  const forwarder = await Forwarder.start(["--proxy", proxy.address], env);
  t.after(() => forwarder.stop());
  const shell = `set -m; "${process.execPath}" "${CLI}" forward --status; echo stopped; read -r go; fg; echo "status $?"`;
  const window = await TerminalWindow.open(t, shell, env, { columns: 120, rows: 20 });
  await window.until((lines) => lines.some((line) => line.startsWith("proxy ")));
  await window.type("C-z");
  const stopped = await window.until((lines) => lines.includes("stopped"));
  assert.deepEqual(stopped, ["stopped"], "the shell has its own screen");
  assert.equal(await window.variable("cursor_flag"), "1");
  await window.type("Enter");
  // What `fg` brings back draws itself anew.
  await window.until((lines) => lines[0]?.startsWith("sessions: ") === true);
  await forwarder.stop();
  const lines = await window.until((lines) => lines.some((line) => /^status/.test(line)));
  const text = lines.join("\n");
  assert.match(text, /stopped/);
  assert.match(text, /gssocks: no forwarder runs: can't ask the server at \S+gssocks-forward: ENOENT/);
  assert.match(text, /^status 1$/m);
  assert.equal(await window.variable("alternate_on"), "0");
});
