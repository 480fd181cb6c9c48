// Profile cluster: two proxies behind HAProxy under one name. Clients get to both, and one of them can be taken away
// while its sessions go on.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { assertPassed, client, compose, inspect, logOf, start } from "./compose.mjs";

const PROXIES = ["proxy-a", "proxy-b"];
before(() => compose("up", "--detach", "--wait", ...PROXIES, "socks"));

/** The sessions in relay of each proxy. */
async function relaying() {
  const counts = PROXIES.map(async (service) => {
    const listed = await compose("exec", "-T", service, "gssocks", "sessions", "--json");
    return listed.split("\n").filter((line) => line !== "" && JSON.parse(line).state === "relay").length;
  });
  return Promise.all(counts);
}

test("all that one proxy does is there under the common name, and both do it", async () => {
  assertPassed(await client("env", "PROXY=socks.example.test", "/opt/client/entry.sh", "test", "test/"));
  for (const service of PROXIES) {
    const sessions = (await logOf(service)).filter(({ type }) => type === "session");
    assert.ok(sessions.length > 0, `${service} had none`);
    const names = new Set(sessions.map(({ targetName }) => targetName).filter((name) => name !== null));
    assert.deepEqual([...names], ["rcmd/socks.example.test@EXAMPLE.TEST"]);
  }
});

test("all clients have HAProxy's address: what one of them does wrong keeps nobody out", async () => {
  const garbage = `
    for round in {1..12}; do
      exec 3<>/dev/tcp/socks.example.test/1080 && printf 'no SOCKS at all' >&3 && cat <&3 >/dev/null 2>&1
      exec 3>&-
    done
    printf 'GET / HTTP/1.0\\r\\n\\r\\n' >request
    echo alice-password | kinit alice >/dev/null
    for round in {1..2}; do
      gssocks connect origin.example.test 80 --proxy socks.example.test:1080 <request | grep -a '^HTTP'
    done`;
  assert.equal(await client("bash", "-o", "pipefail", "-ec", garbage), "HTTP/1.1 200 OK\r\n".repeat(2));
  const { NetworkSettings: settings } = await inspect("socks");
  const addresses = Object.values(settings.Networks).map(({ IPAddress: address }) => address);
  for (const service of PROXIES) {
    const sources = (await logOf(service))
      .filter(({ type }) => type === "session")
      .map(({ client: source }) => source);
    assert.ok(
      sources.length > 0 &&
        sources.every((source) => addresses.some((address) => source.startsWith(`${address}:`))),
    );
  }
});

test("a proxy that stops keeps its sessions; new ones go to the other", async (t) => {
  const echo = () => {
    const script = `
      echo alice-password | kinit alice >/dev/null
      exec gssocks connect origin.example.test 7 --proxy socks.example.test:1080`;
    const visitor = start("compose", "run", "--rm", "--no-deps", "-T", "client", "bash", "-c", script);
    t.after(() => visitor.stdin.end());
    return visitor;
  };
  const first = echo();
  first.stdin.write("before\n");
  await first.line(/^before$/);
  const counts = await relaying();
  assert.deepEqual([...counts].sort(), [0, 1]);
  const [busy, idle] = counts[0] === 1 ? PROXIES : [...PROXIES].reverse();

  const { Id: id } = await inspect(busy);
  const log = start("logs", "--follow", id);
  t.after(() => log.stop());
  const balancer = start("logs", "--follow", (await inspect("socks")).Id);
  t.after(() => balancer.stop());
  const stopped = compose("stop", busy);
  await log.line(/"msg":"draining"/);
  await balancer.line(new RegExp(`tickets/${busy.at(-1)} is DOWN`));
  const second = echo();
  second.stdin.end("to the other\n");
  await second.line(/^to the other$/);
  assert.equal(await second.ended, 0);
  first.stdin.end("and after\n");
  await first.line(/^and after$/);
  assert.equal(await first.ended, 0);
  await stopped;
  assert.equal((await inspect(busy)).State.ExitCode, 0);
  const last = (await logOf(idle)).filter(({ type }) => type === "session").at(-1);
  assert.equal(last.destination, "origin.example.test:7");
  assert.equal(last.outcome, "completed");
});
