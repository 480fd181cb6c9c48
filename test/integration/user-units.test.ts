/**
 * What is tested: the user's systemd units of the forwarder (packaging/systemd/user): systemd-analyze finds nothing in them,
 * what they name fits together, and the service's own command line serves a client over the socket it is given.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { startActivated } from "../support/activated.js";
import { scratch } from "../support/identd.js";
import { Origin } from "../support/origin.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";
import { listening } from "../support/server-process.js";

const UNITS = fileURLToPath(new URL("../../../packaging/systemd/user/", import.meta.url));
const read = (name: string) => readFileSync(path.join(UNITS, name), "utf8");

/** The values of a key. */
function valuesOf(unit: string, key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

test("systemd-analyze verify", async (t) => {
  if ((await runToEnd("sh", ["-c", "command -v systemd-analyze"])).code !== 0)
    return t.skip("there is no systemd-analyze here");
  const dir = await scratch(t);
  for (const name of ["gssocks-forward.socket", "gssocks-forward.service"]) {
    // The program is not where it is going to be.
    writeFileSync(path.join(dir, name), read(name).replaceAll("/usr/bin/gssocks", process.execPath));
  }
  const files = ["gssocks-forward.socket", "gssocks-forward.service"].map((name) => path.join(dir, name));
  const env = { XDG_RUNTIME_DIR: dir, SYSTEMD_UNIT_PATH: `${dir}:` };
  const { code, stdout, stderr } = await runToEnd(
    "systemd-analyze",
    ["--user", "--man=no", "verify", ...files],
    { env },
  );
  const said = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("gssocks"));
  assert.deepEqual([code, said], [0, []], stderr);
});

test("the service's command line, on the socket's descriptor", async (t) => {
  const [service, socket] = [read("gssocks-forward.service"), read("gssocks-forward.socket")];
  const [name = ""] = valuesOf(socket, "FileDescriptorName");
  const { realm, proxy } = await proxiedRealm(t);
  const home = await scratch(t);
  const [condition = ""] = valuesOf(service, "ConditionPathExists");
  const file = condition.replace("%E", home);
  mkdirSync(path.dirname(file), { recursive: true });
  // As the unit's comment has it.
  assert.ok(service.includes(`- address: systemd:${name}`));
  const listeners = [{ address: `systemd:${name}` }];
  writeFileSync(file, stringify({ listeners, upstreams: { proxy: { proxies: [proxy.address] } } }));
  const [start = ""] = valuesOf(service, "ExecStart");
  const [program, ...args] = start.replaceAll("%E", home).split(" ");
  assert.equal(program, "/usr/bin/gssocks");
  assert.ok(existsSync(file) && args.includes(file));

  const runtime = await scratch(t);
  const env = { ...realm.env, KRB5CCNAME: process.env.KRB5CCNAME, XDG_RUNTIME_DIR: runtime };
  const child = await startActivated([[name, "127.0.0.1"]], [process.execPath, CLI, ...args], {
    env,
    test: t,
  });
  const [port] = await listening(child, 1);
  const web = await Origin.start((each) => {
    each.once("data", () => each.end("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
  });
  t.after(() => web.stop());
  for (const scheme of ["socks5h", "http"]) {
    const curl = ["-q", "-sS", "--max-time", "60", "--noproxy", "", "-x", `${scheme}://127.0.0.1:${port}`];
    assert.equal((await run("curl", [...curl, `http://localhost:${web.port}/`])).stdout, "hello", scheme);
  }
  assert.equal((await proxy.audit()).principal, "alice@EXAMPLE.TEST");

  // And the command that has it take its file anew.
  const [reload = ""] = valuesOf(service, "ExecReload");
  const [again, ...words] = reload.replaceAll("%t", runtime).split(" ");
  assert.equal(again, "/usr/bin/gssocks");
  assert.match((await run(process.execPath, [CLI, ...words])).stdout, /^reloaded; /);
});
