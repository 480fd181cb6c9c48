/**
 * OpenSSH through `gssocks connect` as its ProxyCommand, to a real sshd that itself asks for the ticket (RFC 4462 inside
 * RFC 1961): one kinit, two authentications. A command's output and exit status, files there by scp and back by sftp, a
 * user whom the proxy lets in and sshd does not, and one with no ticket at all.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { CLI } from "../support/proxy.js";
import { startSshd } from "../support/sshd.js";

test("ssh, scp and sftp with one ticket for the proxy and for sshd", async (t) => {
  const { realm, proxy } = await proxiedRealm(t);
  const sshd = await startSshd(t, realm, ["alice@EXAMPLE.TEST"]);
  // ssh reads % itself.
  const gssocks = `"${process.execPath}" "${CLI}"`.replaceAll("%", "%%");
  const options = [...sshd.options, "-o", `ProxyCommand=${gssocks} connect %h %p --proxy ${proxy.address}`];
  const ssh = (command: string, env: Record<string, string> = {}) =>
    runToEnd("ssh", [...options, "localhost", command], { env: { ...realm.env, ...env } });
  const file = (name: string) => path.join(realm.dir, name);

  await t.test("a command, its output and its status", async () => {
    const isNew = proxy.later();
    const { code, stdout, stderr } = await ssh("echo here; echo there >&2; exit 42");
    assert.equal(code, 42, stderr);
    assert.equal(stdout, "here\n");
    assert.match(stderr, /^there$/m);
    assert.match(sshd.output(), /Authorized to \w+, krb5 principal alice@EXAMPLE\.TEST/);
    assert.match(sshd.output(), /Accepted gssapi-with-mic for/);
    const record = await proxy.audit(isNew);
    assert.deepEqual(
      [record.principal, record.destination, record.level, record.outcome],
      ["alice@EXAMPLE.TEST", `localhost:${sshd.port}`, "confidentiality", "completed"],
    );
  });

  await t.test("a file there by scp, and back by sftp", async () => {
    const octets = randomBytes(5 << 20);
    await writeFile(file("here"), octets);
    const scp = await runToEnd("scp", [...options, file("here"), `localhost:${file("there")}`], {
      env: realm.env,
    });
    assert.equal(scp.code, 0, scp.stderr);
    assert.ok((await readFile(file("there"))).equals(octets));
    const sftp = await runToEnd("sftp", [...options, "-b", "-", "localhost"], {
      env: realm.env,
      input: `get ${file("there")} ${file("back")}\n`,
    });
    assert.equal(sftp.code, 0, sftp.stderr);
    assert.ok((await readFile(file("back"))).equals(octets));
  });

  await t.test("who may go through the proxy and not into sshd", async () => {
    const { code, stderr } = await ssh("true", { KRB5CCNAME: await realm.kinit("bob", { ccache: "bobs" }) });
    assert.equal(code, 255);
    assert.match(stderr, /Permission denied \(gssapi-with-mic\)/);
    await proxy.audit(({ principal }) => principal === "bob@EXAMPLE.TEST");
  });

  await t.test("without a ticket, ssh's user reads why", async () => {
    const { code, stderr } = await ssh("true", { KRB5CCNAME: `FILE:${file("none")}` });
    assert.equal(code, 255);
    assert.match(stderr, /^gssocks: .*there is no ticket in .*: get one with kinit/m);
  });
});
