/**
 * What is tested, by scripts/test-packages.sh: the Debian package in a fresh Debian 13 with a systemd of its own. It is
 * installed with what it depends on; the service starts with a keytab only, as its own user, with the capability and the
 * directories of its unit; it serves a client with a ticket, reloads, is restarted when it is killed or hangs, is started
 * by its socket, has its audit trail rotated; and the package is upgraded, removed and purged without a trace.
 */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";
import { echo, Origin } from "../support/origin.js";
import { run } from "../support/processes.js";
import { CLI } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";
import { System } from "./system.js";

const { GSSOCKS_DEB: deb, GSSOCKS_DEBIAN: base } = process.env as Record<string, string>;
assert.ok(deb && base, "to be run by scripts/test-packages.sh");

const CONFIG = {
  // One below 1024, which takes the capability.
  listeners: [{ address: "127.0.0.1:1080" }, { address: "127.0.0.1:443" }],
  rules: [{ allow: { to: ["127.0.0.0/8"] } }],
  audit: { file: "/var/log/gssocks/audit.jsonl" },
};

test("the Debian package", { timeout: 110_000 }, async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  await realm.kinit("alice");
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const system = await System.over(t, base);
  await copyFile(deb, system.path("gssocks.deb"));
  await run("dpkg-deb", ["--raw-extract", deb, system.path("newer")]);
  const control = system.path("newer/DEBIAN/control");
  await writeFile(control, (await readFile(control, "utf8")).replace(/^Version: .*$/m, "$&+newer"));
  await run("dpkg-deb", [
    "--build",
    "--root-owner-group",
    "-Znone",
    system.path("newer"),
    system.path("newer.deb"),
  ]);
  await run("rm", ["-r", system.path("newer")]);
  const before = await system.files();

  /** A ticket's way through the proxy and back. */
  async function carried(port = 1080): Promise<void> {
    const to = ["connect", "127.0.0.1", String(origin.port), "--proxy", `localhost:${port}`];
    const { stdout } = await run(process.execPath, [CLI, ...to], { env: realm.env, input: "there and back" });
    assert.equal(stdout, "there and back");
  }
  const configure = (config: object) => writeFile(system.path("etc/gssocks/gssocks.yaml"), stringify(config));
  const property = async (name: string) =>
    (await system.run("systemctl", ["show", "--value", `--property=${name}`, "gssocks.service"])).trim();
  const signal = (name: string) =>
    system.run("systemctl", ["kill", "--kill-whom=main", `--signal=${name}`, "gssocks.service"]);
  /** The service's process is another than before, and serves. */
  async function restarted(pid: string): Promise<void> {
    for (;;) {
      const now = await property("MainPID");
      if (now !== pid && now !== "0" && (await property("ActiveState")) === "active") return;
      await delay(100);
    }
  }

  await t.test("is installed without a service manager, with all that it depends on", async () => {
    await system.run("dpkg", ["--install", "/gssocks.deb"]);
    assert.equal(await system.run("dpkg", ["--verify", "gssocks"]), "");
    assert.match(await system.run("gssocks", ["--version"]), /^\d+\.\d+\.\d+\n$/);
    assert.match(await system.run("gssocks", ["mechs"]), /krb5/);
    assert.match(
      await system.run("getent", ["passwd", "gssocks"]),
      /^gssocks:x:\d+:.*:\/var\/lib\/gssocks:\/usr\/sbin\/nologin$/m,
    );
    await stat(system.path("usr/share/man/man8/gssocks-serve.8.gz"));
    await stat(system.path("usr/share/bash-completion/completions/gssocks"));
  });

  await system.boot(t);

  await t.test("starts nothing by itself, and the service does not run without its keytab", async () => {
    assert.equal((await system.try("systemctl", ["is-enabled", "gssocks.service"])).stdout, "disabled\n");
    assert.equal((await system.try("systemctl", ["start", "gssocks.service"])).code, 1);
    assert.match(await system.run("journalctl", ["-u", "gssocks", "--output=cat"]), /credentials/i);
    await system.run("systemctl", ["stop", "gssocks.service"]);
  });

  await t.test("serves, as its own user, with what its unit gives it", async () => {
    await copyFile(realm.keytab, system.path("etc/gssocks/krb5.keytab"));
    await chmod(system.path("etc/gssocks/krb5.keytab"), 0o600);
    await copyFile(realm.env.KRB5_CONFIG as string, system.path("etc/krb5.conf"));
    await chmod(system.path("etc/krb5.conf"), 0o644);
    await configure(CONFIG);
    await system.try("systemctl", ["reset-failed", "gssocks.service"]);
    await system.run("systemctl", ["enable", "--now", "gssocks.service"]);
    await carried();
    await carried(443);
    assert.equal(await property("StatusText"), "Serving");
    const status = await system.run("cat", [`/proc/${await property("MainPID")}/status`]);
    const uid = (await system.run("id", ["-u", "gssocks"])).trim();
    assert.match(status, new RegExp(`^Uid:(\\t${uid}){4}$`, "m"));
    // CAP_NET_BIND_SERVICE is bit 10.
    for (const each of ["CapPrm", "CapEff", "CapBnd"])
      assert.match(status, new RegExp(`^${each}:\\t0{13}400$`, "m"));
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    assert.deepEqual(await readdir(system.path("var/lib/gssocks")), [`krb5_${uid}.rcache2`]);
    const { mode } = await stat(system.path("var/log/gssocks/audit.jsonl"));
    assert.equal(mode & 0o777, 0o600);
    assert.match(await system.run("gssocks", ["sessions"]), /^SESSION /);
  });

  await t.test("reloads, and says so where it can't", async () => {
    await configure({ ...CONFIG, rules: [] });
    await system.run("systemctl", ["reload", "gssocks.service"]);
    await assert.rejects(carried());
    await configure({ ...CONFIG, rules: "none" });
    assert.equal((await system.try("systemctl", ["reload", "gssocks.service"])).code, 1);
    assert.match(await system.run("journalctl", ["-u", "gssocks", "--output=cat"]), /rules: expected a list/);
    assert.equal(await property("ActiveState"), "active");
    await configure(CONFIG);
    await system.run("systemctl", ["reload", "gssocks.service"]);
    await carried();
  });

  await t.test("has its audit trail rotated", async () => {
    const records = async (name: string) =>
      (await readFile(system.path(`var/log/gssocks/${name}`), "utf8"))
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    const [first] = await records("audit.jsonl");
    await system.run("logrotate", ["--force", "/etc/logrotate.d/gssocks"]);
    await carried();
    const names = await readdir(system.path("var/log/gssocks"));
    assert.deepEqual(names.map((each) => each.replace(/-\d+-\d+$/, "-DATE")).sort(), [
      "audit.jsonl",
      "audit.jsonl-DATE",
    ]);
    const old = await records(names.find((each) => each !== "audit.jsonl") as string);
    const { seq } = (await records("audit.jsonl"))[0];
    assert.deepEqual([old[0], seq], [first, old.at(-1).seq + 1]);
  });

  await t.test("is restarted when it was killed, and when it hangs", async () => {
    const killed = await property("MainPID");
    await signal("KILL");
    await restarted(killed);
    await carried();
    await dropIn(system, "gssocks.service.d", "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n");
    await system.run("systemctl", ["restart", "gssocks.service"]);
    const hung = await property("MainPID");
    await signal("STOP");
    await restarted(hung);
    assert.match(await system.run("journalctl", ["-u", "gssocks", "--output=cat"]), /watchdog/i);
    await carried();
  });

  await t.test("is not restarted where the configuration is wrong", async () => {
    await configure({ listeners: [] });
    assert.equal((await system.try("systemctl", ["restart", "gssocks.service"])).code, 1);
    assert.equal(await property("ActiveState"), "failed");
    assert.equal(await property("ExecMainStatus"), "2");
  });

  await t.test("is started by its socket, by whoever connects", async () => {
    await configure({ ...CONFIG, listeners: [{ address: "systemd:proxy" }] });
    await system.try("systemctl", ["reset-failed", "gssocks.service"]);
    await system.run("systemctl", ["enable", "--now", "gssocks.socket"]);
    assert.equal(await property("ActiveState"), "inactive");
    await carried();
    assert.equal(await property("ActiveState"), "active");
  });

  await t.test("is upgraded: the service goes on with what is new", async () => {
    const pid = await property("MainPID");
    const config = await readFile(system.path("etc/gssocks/gssocks.yaml"), "utf8");
    await system.run("dpkg", ["--install", "/newer.deb"]);
    assert.notEqual(await property("MainPID"), pid);
    assert.equal(await property("ActiveState"), "active");
    assert.equal(await readFile(system.path("etc/gssocks/gssocks.yaml"), "utf8"), config);
    for (const unit of ["gssocks.service", "gssocks.socket"])
      assert.equal(await system.run("systemctl", ["is-enabled", unit]), "enabled\n");
    await carried();
  });

  await t.test("is removed: nothing runs any more, what was written stays", async () => {
    await system.run("dpkg", ["--remove", "gssocks"]);
    assert.equal(
      (await system.try("systemctl", ["is-active", "gssocks.service", "gssocks.socket"])).stdout,
      "inactive\ninactive\n",
    );
    await assert.rejects(carried());
    for (const each of ["etc/gssocks/gssocks.yaml", "etc/gssocks/krb5.keytab", "var/log/gssocks/audit.jsonl"])
      await stat(system.path(each));
  });

  await t.test("is purged: what is left is not its own", async () => {
    await system.run("dpkg", ["--purge", "gssocks"]);
    const left = [...(await system.files())].filter((each) => !before.has(each) && !OTHERS.test(each));
    assert.deepEqual(left.sort(), ["etc/gssocks", "etc/gssocks/krb5.keytab", "etc/krb5.conf"]);
  });
});

/** What systemd and the tools of others have written beside: the user that stays, state of their own, our drop-in. */
const OTHERS =
  /^(etc\/(passwd|group|shadow|gshadow)-?|etc\/\.(pwd\.lock|updated)|etc\/machine-id|etc\/systemd\/system\/gssocks\.service\.d(\/.*)?|var\/log\/(journal|private|wtmp|lastlog|btmp).*|var\/lib\/(systemd|logrotate|private)(\/.*)?|var\/\.updated|old|root\/.*)$/;

async function dropIn(system: System, unit: string, text: string): Promise<void> {
  const dir = system.path(`etc/systemd/system/${unit}`);
  await mkdir(dir, { recursive: true });
  await writeFile(path.join(dir, "test.conf"), text);
  await system.run("systemctl", ["daemon-reload"]);
}
