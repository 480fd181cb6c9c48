// The images: what is in that of gssocks and what is not, and that each container has no more rights than it needs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { client, compose, docker, inspect } from "./compose.mjs";

const SERVICES = ["kdc", "proxy", "origin"];
const image = `gssocks:${process.env.GSSOCKS_TAG ?? "local"}`;

const inImage = (script) =>
  docker("run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", image, "-c", script);

test("the image of gssocks: its user, its health check, its size", async (t) => {
  const [{ Config: config, Size: size }] = JSON.parse(await docker("image", "inspect", image));
  assert.equal(config.User, "10001:10001");
  assert.match(config.Healthcheck.Test.join(" "), /healthz/);
  assert.deepEqual(config.Entrypoint, ["gssocks"]);
  t.diagnostic(`${Math.round(size / 1e6)} MB`);
  assert.ok(size < 400e6, `${size} octets`);
});

test("no compiler, no package manager of Node's, no sources, nothing of a build", async () => {
  const found = await inImage(`
    for program in cc gcc g++ c++ clang ld as make cmake npm npx yarn corepack git curl wget; do command -v $program; done
    find / -xdev \\( -name '*.ts' -path '*/gssocks/dist/src/*' ! -name '*.d.ts' -o -name '*.cc' -o -name cmake-js \\
      -o -name typescript -o -name 'ca-certificates.crt' -path '/run/*' -o -name runtime-packages \\)
    true`);
  assert.equal(found, "");
});

test("what the server's user may write is next to nothing", async () => {
  const found = await docker(
    ...["run", "--rm", "--network", "none", "--entrypoint", "find", image],
    ...["/", "-xdev", "-writable", "!", "-type", "l", "!", "-path", "/proc/*", "!", "-path", "/dev/*"],
  ).catch((error) => error.message);
  const paths = found.split("\n").filter((line) => line.startsWith("/"));
  assert.deepEqual(paths.sort(), ["/run/gssocks", "/run/lock", "/tmp", "/var/tmp"]);
});

test("each service, those of the profiles too, is to run with no more than this", async () => {
  const { services } = JSON.parse(await compose("config", "--format", "json"));
  for (const [name, service] of Object.entries(services)) {
    const { init, read_only, cap_drop, cap_add, security_opt, privileged, pids_limit, mem_limit } = service;
    assert.deepEqual(
      { init, read_only, cap_drop, cap_add, security_opt, privileged },
      {
        ...{ init: true, read_only: true, cap_drop: ["ALL"], cap_add: undefined },
        ...{ security_opt: ["no-new-privileges:true"], privileged: undefined },
      },
      name,
    );
    assert.ok(pids_limit > 0 && Number(mem_limit) > 0, name);
    assert.equal(service.user, name === "grafana" ? "472" : "10001:10001");
    assert.ok(name === "grafana" || service.ports === undefined, `${name} publishes a port`);
  }
});

for (const service of SERVICES) {
  test(`${service}: no rights, nothing writable, no port of the machine's`, async () => {
    const { HostConfig: host, Config: config } = await inspect(service);
    assert.equal(host.Privileged, false);
    assert.equal(host.ReadonlyRootfs, true);
    assert.equal(host.Init, true);
    assert.deepEqual(host.CapDrop, ["ALL"]);
    assert.equal(host.CapAdd, null);
    assert.deepEqual(host.SecurityOpt, ["no-new-privileges:true"]);
    assert.deepEqual(Object.keys(host.PortBindings ?? {}), []);
    assert.equal(config.User, "10001:10001");
    // And as the kernel has it, of the process that serves.
    const status = await compose(
      "exec",
      "-T",
      service,
      "sh",
      "-c",
      "cat /proc/1/status; touch /x 2>&1 || true",
    );
    assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
    assert.match(status, /^CapBnd:\t0{16}$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /Read-only file system/);
  });
}

test("each has its own keys and no others", async () => {
  const names = async (text) =>
    [...new Set([...text.matchAll(/^ *\d+ (\S+@\S+)$/gm)].map(([, name]) => name))].sort();
  const keys = (file) => compose("exec", "-T", "kdc", "klist", "-k", file).then(names);
  assert.deepEqual(await keys("/keytab/proxy/krb5.keytab"), [
    "rcmd/proxy.example.test@EXAMPLE.TEST",
    "rcmd/socks.example.test@EXAMPLE.TEST",
  ]);
  assert.deepEqual(await keys("/keytab/origin/krb5.keytab"), ["host/origin.example.test@EXAMPLE.TEST"]);
  const { Mounts: mounts } = await inspect("proxy");
  assert.deepEqual(mounts.map(({ Destination: at, RW: writable }) => [at, writable]).sort(), [
    ["/etc/gssocks/config.yaml", false],
    ["/keytab", false],
    ["/realm", false],
  ]);
  assert.equal(await client("sh", "-c", "ls -d /keytab; find /realm / -xdev -name '*.keytab'; true"), "");
});
