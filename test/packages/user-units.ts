/**
 * What is tested, by scripts/test-packages.sh: the user's units of the forwarder, under the systemd of a Debian of its own
 * that is not told of anything else. A user enables the socket; whoever of them connects to it starts the service, which
 * goes through the proxy with the user's ticket, asks the kernel whose its clients are and refuses others; it reloads, and
 * says so where it can't.
 */
import assert from "node:assert/strict";
import { access, chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { echo, Origin } from "../support/origin.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { System } from "./system.js";

const { GSSOCKS_DEB: deb, GSSOCKS_DEBIAN: base } = process.env as Record<string, string>;
assert.ok(deb && base, "to be run by scripts/test-packages.sh");

const UID = "1000";
const AS_USER = ["--reuid", UID, "--regid", UID, "--clear-groups"];
/** What a login has (pam_systemd(8)), without one. */
const RUNTIME = `/run/user/${UID}`;

test(`the user's units in ${path.basename(base)}`, { timeout: 110_000 }, async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const system = await System.over(t, base);
  await run("dpkg-deb", ["--extract", deb, system.root]);
  await access(system.path("usr/bin/node")).catch(() =>
    copyFile(process.execPath, system.path("usr/bin/node")),
  );
  await copyFile(realm.env.KRB5_CONFIG as string, system.path("etc/krb5.conf"));
  await chmod(system.path("etc/krb5.conf"), 0o644);
  await writeFile(system.path("etc/hosts"), "127.0.0.1 localhost\n");
  await copyFile(path.join(realm.dir, "ccache"), system.path("ticket"));
  await system.run("useradd", ["--create-home", "--uid", UID, "alice"]);
  const file = system.path("home/alice/.config/gssocks/forward.yaml");
  await mkdir(path.dirname(file), { recursive: true });
  const listeners = [{ address: "systemd:proxy" }];
  const upstreams = { proxy: { proxies: [proxy.address] } };
  const configure = (more: object) => writeFile(file, stringify({ listeners, upstreams, ...more }));
  await configure({});
  await system.run("chown", ["--recursive", "alice:", "/home/alice"]);

  for (const [unit, lines] of [
    ["user-runtime-dir@", ["ExecStart=", `ExecStart=/usr/bin/install -d -o ${UID} -m 700 ${RUNTIME}`]],
    ["user@", [`Environment=XDG_RUNTIME_DIR=${RUNTIME}`]],
  ] as const) {
    const dir = system.path(`etc/systemd/system/${unit}.service.d`);
    await mkdir(dir, { recursive: true });
    await writeFile(path.join(dir, "test.conf"), ["[Service]", ...lines, ""].join("\n"));
  }
  await system.boot(t);
  await system.run("install", ["-o", UID, "-m", "600", "/ticket", `/tmp/krb5cc_${UID}`]);
  await system.run("systemctl", ["start", `user@${UID}.service`]);
  const command = (args: readonly string[]) =>
    ["setpriv", [...AS_USER, "env", `XDG_RUNTIME_DIR=${RUNTIME}`, "systemctl", "--user", ...args]] as const;
  const systemctl = (...args: string[]) => system.run(...command(args));
  const active = async () =>
    (await system.try(...command(["is-active", "gssocks-forward.service"]))).stdout.trim();

  /** A program of theirs, or of root's, that knows nothing of Kerberos. */
  async function carried(as: readonly string[] = AS_USER): Promise<boolean> {
    const nc = ["nc", "-N", "-w", "30", "-X", "5", "-x", "127.0.0.1:1081", "127.0.0.1", String(origin.port)];
    const { stdout } = await runToEnd("setpriv", [...as, ...nc], {
      input: "there and back",
      timeoutMs: 60_000,
    });
    return stdout === "there and back";
  }

  await t.test("the socket starts the service, which has the user's ticket", async () => {
    await systemctl("enable", "--now", "gssocks-forward.socket");
    assert.equal(await active(), "inactive");
    assert.ok(await carried());
    assert.equal(await active(), "active");
    assert.equal((await proxy.audit()).principal, "alice@EXAMPLE.TEST");
  });

  await t.test("it knows whose a client is", async () => assert.ok(!(await carried([]))));

  await t.test("it reloads, and says so where it can't", async () => {
    await configure({ rules: [] });
    await systemctl("reload", "gssocks-forward.service");
    assert.ok(!(await carried()));
    await configure({ rules: "none" });
    assert.equal((await system.try(...command(["reload", "gssocks-forward.service"]))).code, 1);
    assert.equal(await active(), "active");
    await configure({});
    await systemctl("reload", "gssocks-forward.service");
    assert.ok(await carried());
  });
});
