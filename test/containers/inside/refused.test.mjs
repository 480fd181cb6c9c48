// `docker compose run client test`: who and what is refused, and that it is said why: no ticket, a user whom a rule denies
// something, destinations that no rule allows, the proxy itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, ticket } from "./support.mjs";

test("without a ticket", async () => {
  const { code, stdout, stderr } = await connect(80, {
    ...process.env,
    KRB5CCNAME: "FILE:/tmp/no-such-ticket",
  });
  assert.equal(code, 1);
  assert.equal(stdout.length, 0);
  assert.match(stderr, /kinit/);
});

test("bob may see the page, and not the shell", async (t) => {
  const env = await ticket(t, "bob");
  const page = await connect(80, env, { input: "GET / HTTP/1.0\r\n\r\n" });
  assert.equal(page.code, 0, page.stderr);
  assert.match(String(page.stdout.subarray(0, 15)), /^HTTP\/1\.1 200/);
  const shell = await connect(22, env);
  assert.equal(shell.code, 1);
  assert.match(shell.stderr, /rules deny origin\.example\.test:22/);
});

for (const [what, host, port] of [
  ["another port", "origin.example.test", 443],
  ["another host", "kdc.example.test", 88],
  ["the proxy's metrics", "127.0.0.1", 9464],
  ["the cloud's metadata", "169.254.169.254", 80],
]) {
  test(`no rule allows ${what}`, async (t) => {
    const { code, stdout, stderr } = await connect(port, await ticket(t, "alice"), { host });
    assert.equal(code, 1);
    assert.equal(stdout.length, 0);
    assert.match(stderr, /rules deny/);
  });
}
