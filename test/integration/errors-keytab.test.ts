/**
 * What the server says of its keytab: at its start when it is missing, unreadable or empty (exit status 1), and in its
 * log when it lacks the key that a client's ticket is for, or has an older one.
 */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { type Finished, runToEnd } from "../support/processes.js";
import { CLI, ProxyServer } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("what the server says of its keytab", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  await realm.kinit("alice");

  async function start(keytab: string, wrapper: readonly string[] = []): Promise<Finished> {
    const config = path.join(realm.dir, "config.yaml");
    await writeFile(config, JSON.stringify({ listeners: [{ address: "127.0.0.1:0" }], gssapi: { keytab } }));
    const [command = "", ...args] = [...wrapper, process.execPath, CLI, "serve", "--config", config];
    return runToEnd(command, args, { env: realm.env });
  }

  /** The message is there for a person, and in the log. */
  function assertSays({ code, stdout, stderr }: Finished, says: RegExp, stable: string): void {
    assert.equal(code, 1);
    assert.match(stderr, says);
    assert.match(stderr, /^gssocks: [^\n]+\n$/);
    // Behind the audit trail's own beginning and end.
    const line = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    assert.equal(line.severity, "fatal");
    assert.equal(line.code, stable);
    assert.match(line.reason, says);
  }

  await t.test("missing", async () => {
    const keytab = path.join(realm.dir, "no-such.keytab");
    const says = /the keytab FILE:\S+no-such\.keytab does not exist: write it \(ktadd\), or correct its path/;
    assertSays(await start(keytab), says, "KEYTAB_MISSING");
  });

  await t.test("without any key", async () => {
    const keytab = path.join(realm.dir, "empty.keytab");
    await writeFile(keytab, Buffer.from("0502", "hex"));
    assertSays(await start(keytab), /the keytab FILE:\S+empty\.keytab has no key in it/, "KEYTAB_MISSING");
  });

  await t.test("unreadable", async () => {
    const keytab = path.join(realm.dir, "locked.keytab");
    await writeFile(keytab, "");
    await chmod(keytab, 0);
    // Root reads everything, unless it gives that capability up.
    const caps = "-dac_override,-dac_read_search";
    const mortal =
      process.getuid?.() === 0 ? ["setpriv", `--bounding-set=${caps}`, `--inh-caps=${caps}`] : [];
    const says = /the keytab FILE:\S+locked\.keytab can't be read by this user \(uid \d+\): .*chown/;
    assertSays(await start(keytab, mortal), says, "KEYTAB_UNREADABLE");
  });

  /** A client with a ticket for rcmd/localhost; what the log says of it. */
  async function refused(proxy: ProxyServer): Promise<Record<string, unknown>> {
    const { code, stderr } = await gssocks(["connect", "localhost", "9", "--proxy", proxy.address], {
      env: realm.env,
    });
    assert.equal(code, 1);
    assert.match(stderr, /the proxy refused our ticket \(01 ff\); its log says why/);
    const line = await proxy.waitForLog(({ msg }) => msg === "session failed");
    assert.equal(line.step, "context establishment");
    assert.match(String(line.client), /^127\.0\.0\.1:\d+$/);
    const record = await proxy.audit();
    assert.equal(record.outcome, "failed");
    assert.equal(record.code, line.code);
    assert.equal(record.reason, line.reason);
    return line;
  }

  await t.test("without the key that the ticket is for", async (t) => {
    const keytab = path.join(realm.dir, "socks-only.keytab");
    await realm.ktadd("socks/localhost", keytab);
    const proxy = await ProxyServer.start(realm, { gssapi: { keytab } });
    t.after(() => proxy.stop());
    const { code, reason } = await refused(proxy);
    assert.equal(code, "KEYTAB_NO_KEY");
    assert.match(
      String(reason),
      /socks-only\.keytab has no key for rcmd\/localhost@EXAMPLE\.TEST: add it \(ktadd\)/,
    );
  });

  await t.test("with an older key", async (t) => {
    const proxy = await ProxyServer.start(realm);
    t.after(() => proxy.stop());
    await realm.ktadd("rcmd/localhost", path.join(realm.dir, "elsewhere.keytab"));
    // The ticket that alice may have already is for the old key.
    await realm.kinit("alice");
    const { code, reason } = await refused(proxy);
    assert.equal(code, "KEYTAB_OLD_KVNO");
    assert.match(
      String(reason),
      /service\.keytab is older than the ticket for rcmd\/localhost@EXAMPLE\.TEST \(kvno 3\)/,
    );
    assert.match(String(reason), /write the keytab anew \(ktadd\)/);
  });
});
