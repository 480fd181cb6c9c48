// Profile ad: the realm is a domain of Active Directory, made by Samba. Its tickets carry a PAC, its keytabs come from
// samba-tool, services are names of accounts, and a rule goes by a group of the domain's.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { assertPassed, clientOf, compose, eventually, logOf } from "./compose.mjs";

before(() => compose("up", "--detach", "--wait", "ad-proxy", "ad-origin"));

test("docker compose run ad-client demo", async () => {
  assert.match(await clientOf("ad-client", "demo"), /\ndemo: all of it worked: .*\n$/);
});

test("docker compose run ad-client test", async () => {
  assertPassed(await clientOf("ad-client", "test", "test/"));
});

test("the keys that samba-tool gives away are of AES, of the proxy's services alone", async () => {
  const listed = await compose("exec", "-T", "ad-kdc", "klist", "-ke", "/keytab/proxy/krb5.keytab");
  const keys = [...listed.matchAll(/^ *\d+ (\S+) \((.*)\) *$/gm)].map(
    ([, name, enctype]) => `${name} ${enctype}`,
  );
  const expected = ["proxy", "socks"].flatMap((host) =>
    ["aes128", "aes256"].map((kind) => `rcmd/${host}.example.test@EXAMPLE.TEST ${kind}-cts-hmac-sha1-96`),
  );
  assert.deepEqual([...new Set(keys)].sort(), expected);
});

test("who is in a group of the domain's is let in by it, as soon as the proxy is told", async () => {
  const member = (how, who) =>
    compose("exec", "-T", "ad-kdc", "samba-tool", "group", how, "shell-users", who);
  const publish = () => compose("exec", "-T", "ad-kdc", "/opt/ad/container.sh", "--groups");
  const script = `
    echo bob-password | kinit bob >/dev/null
    gssocks connect origin.example.test 22 --proxy proxy.example.test:1080 </dev/null 2>&1 | head -c 4; true`;
  const reach = () => clientOf("ad-client", "bash", "-c", script);
  assert.notEqual(await reach(), "SSH-");
  await member("addmembers", "bob");
  await publish();
  // It looks into the file again after groups.maxAge.
  await eventually(async () => (await reach()) === "SSH-");
  await member("removemembers", "bob");
  await publish();
  await eventually(async () => (await reach()) !== "SSH-");

  const decisions = (await logOf("ad-proxy")).filter(
    ({ type, principal, destination }) =>
      type === "decision" && principal === "bob@EXAMPLE.TEST" && destination === "origin.example.test:22",
  );
  const answers = decisions.map(({ decision }) => decision);
  assert.equal(answers.at(0), "deny");
  assert.equal(answers.at(-1), "deny");
  assert.ok(answers.includes("allow"), answers.join());
});
