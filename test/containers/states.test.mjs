// What an orchestrator sees: readiness comes and goes with the keytab, and SIGTERM lets open sessions end first.
// The tests of this file change the project, one after the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { client, compose, containerOf, docker, health, inspect, logOf, start } from "./compose.mjs";

const ask = (page) => [
  ...["exec", "-T", "proxy", "node", "-e"],
  `fetch("http://127.0.0.1:9464/${page}").then(async (r) => console.log(r.status, (await r.text()).trim()))`,
];

test("without its keytab the proxy is alive and not ready; with it, it is again", async (t) => {
  assert.match(await compose(...ask("readyz")), /^200/);
  const move = (from, to) =>
    compose("exec", "-T", "kdc", "mv", `/keytab/proxy/${from}`, `/keytab/proxy/${to}`);
  t.after(() => move("away", "krb5.keytab").catch(() => {}));
  await health("proxy", "unhealthy", () => move("krb5.keytab", "away"));
  assert.match(await compose(...ask("readyz")), /^503 .*keytab/s);
  assert.match(await compose(...ask("healthz")), /^200/);
  await health("proxy", "healthy", () => move("away", "krb5.keytab"));
  assert.match(
    await client("sh", "-c", "echo alice-password | kinit alice && kvno rcmd/proxy.example.test"),
    /kvno = /,
  );
});

test("`gssocks sessions` and `gssocks reload` work in the container", async () => {
  assert.match(await compose("exec", "-T", "proxy", "gssocks", "sessions"), /^SESSION/);
  await compose("exec", "-T", "proxy", "gssocks", "reload", "--config", "/etc/gssocks/config.yaml");
});

test("docker stop: open sessions go on until they end, new ones are refused, the exit status is 0", async (t) => {
  const script = `
    echo alice-password | kinit alice >/dev/null
    exec gssocks connect origin.example.test 7 --proxy proxy.example.test:1080`;
  const echo = start("compose", "run", "--rm", "--no-deps", "-T", "client", "bash", "-c", script);
  t.after(() => echo.stdin.end());
  echo.stdin.write("before\n");
  await echo.line(/^before$/);

  const log = start("logs", "--follow", await containerOf("proxy"));
  t.after(() => log.stop());
  const stopped = compose("stop", "proxy");
  await log.line(/"msg":"draining"/);
  echo.stdin.write("while it drains\n");
  await echo.line(/^while it drains$/);
  const late = `echo alice-password | kinit alice >/dev/null; ! gssocks connect origin.example.test 7 --proxy proxy.example.test:1080 </dev/null`;
  await client("bash", "-c", late);
  echo.stdin.end("and after\n");
  await echo.line(/^and after$/);
  assert.equal(await echo.ended, 0);
  await stopped;

  const { State: state } = await inspect("proxy");
  assert.equal(state.ExitCode, 0);
  const records = (await logOf("proxy")).filter(
    ({ type, destination }) => type === "session" && destination === "origin.example.test:7",
  );
  assert.equal(records.at(-1).outcome, "completed");
  await docker("start", await containerOf("proxy"));
  await health("proxy", "healthy");
});

test("the KDC may be away: who has a ticket goes on; the realm is the same when it is back", async () => {
  const before = await compose("exec", "-T", "kdc", "klist", "-ke", "/keytab/proxy/krb5.keytab");
  const script = `
    echo alice-password | kinit alice >/dev/null && kvno -q rcmd/proxy.example.test && echo ticket && read -r _
    printf 'GET / HTTP/1.0\\r\\n\\r\\n' | gssocks connect origin.example.test 80 --proxy proxy.example.test:1080 | grep -a -m 1 HTTP`;
  const visitor = start("compose", "run", "--rm", "--no-deps", "-T", "client", "bash", "-c", script);
  await visitor.line(/^ticket$/);
  await compose("stop", "kdc");
  visitor.stdin.end("\n");
  await visitor.line(/^HTTP\/1.1 200/);
  assert.equal(await visitor.ended, 0);
  await compose("start", "kdc");
  await health("kdc", "healthy");
  assert.equal(await compose("exec", "-T", "kdc", "klist", "-ke", "/keytab/proxy/krb5.keytab"), before);
});
