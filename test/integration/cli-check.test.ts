/**
 * What is tested: `gssocks check`: all that is wrong around a configuration at once, each with its line and key, exit status
 * 2; warnings, and exit status 0; and that it leaves nothing behind.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { gssocks } from "../support/gssocks.js";
import { Realm } from "../support/realm.js";

test("gssocks check", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "check-"));
  t.after(() => rm(directory, { recursive: true }));
  const inside = (name: string) => path.join(directory, name);
  const realm = await Realm.start();
  t.after(() => realm.stop());
  const authority = await makeAuthority(directory);
  const good = await makeCertificate(directory, "proxy", "DNS:localhost", authority);
  const other = await makeCertificate(directory, "other", "DNS:localhost", authority);
  await writeFile(inside("groups"), "staff:::alice\n");
  const file = inside("config.yaml");
  const check = async (config: string) => {
    await writeFile(file, config);
    const { code, stdout, stderr } = await gssocks(["check", file], { env: realm.env });
    const lines = stderr.split("\n").filter((line) => line !== "");
    return {
      code,
      stdout,
      lines: lines.map((line) => line.replace(/^gssocks: /, "").replaceAll(`${directory}/`, "")),
    };
  };

  await t.test("a configuration that a server could run with", async () => {
    const { code, stdout, lines } = await check(`
listeners:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    methods: [gssapi, certificate]
    tls: { certificate: ${good.certificate}, key: ${good.key}, clientAuthorities: ${authority.certificate} }
gssapi: { keytab: ${realm.keytab}, targetNames: [rcmd@localhost] }
groups: { file: ${inside("groups")} }
rules:
  - allow: { group: [staff] }
`);
    // The certificate is one of two days.
    assert.equal(code, 0, lines.join("\n"));
    assert.match(stdout, /config\.yaml: ok, with warnings: 1\n$/);
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^warning: config\.yaml:6: listeners\[1\]\.tls\.certificate: the certificate expires soon: /,
    );
  });

  await t.test("all that is wrong at once", async () => {
    await writeFile(inside("bad-groups"), "staff\n");
    await writeFile(inside("users"), "alice:secret\n");
    const { code, stdout, lines } = await check(`
listeners:
  - address: 192.0.2.77:1080
    methods: [password, gssapi]
    tls: { certificate: ${good.certificate}, key: ${other.key}, clientAuthorities: ${good.key} }
gssapi: { keytab: ${realm.keytab}, targetNames: [rcmd@localhost, rcmd@elsewhere.example.test] }
passwords: { file: ${inside("users")} }
groups: { file: ${inside("bad-groups")} }
identd: { socket: /nowhere/at/all }
metrics: { address: 192.0.2.77:9464, remote: true }
rules: []
`);
    assert.deepEqual([code, stdout], [2, ""]);
    const expected = [
      /^config\.yaml:3: listeners\[0\]\.address: can't listen on 192\.0\.2\.77 port 1080: EADDRNOTAVAIL \(this host has no/,
      /^config\.yaml:5: listeners\[0\]\.tls: .*key values mismatch/,
      /^config\.yaml:5: listeners\[0\]\.tls\.clientAuthorities: /,
      /^config\.yaml:6: gssapi\.targetNames\[1\]: .*rcmd\/elsewhere\.example\.test@/,
      /^config\.yaml:7: passwords: users:1: /,
      /^config\.yaml:8: groups\.file: bad-groups:1: expected name:password:gid:member,member/,
      /^config\.yaml:9: identd\.socket: .*\/nowhere\/at/,
      /^config\.yaml:10: metrics\.address: can't listen on 192\.0\.2\.77 port 9464: EADDRNOTAVAIL/,
    ];
    assert.equal(lines.length, expected.length, lines.join("\n"));
    for (const [index, says] of expected.entries()) assert.match(lines[index] ?? "", says);
  });

  await t.test("no ticket to act in clients' place with", async () => {
    const config = `
listeners: [{ address: 127.0.0.1:0 }]
gssapi: { keytab: ${realm.keytab}, targetNames: [rcmd@localhost, socks@localhost] }
upstreams:
  next: { proxies: ["localhost:1080"], gssapi: { credential: constrained } }
`;
    assert.deepEqual((await check(config)).lines, []);
    await realm.kadmin(["modprinc -allow_tix socks/localhost"]);
    const { code, lines } = await check(config);
    assert.equal(code, 0);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0] ?? "", /^warning: config\.yaml:4: upstreams: .*account.* is locked or has expired/);
  });

  await t.test("a keytab that is not there", async () => {
    const { code, lines } = await check(
      `listeners: [{ address: 127.0.0.1:0 }]\ngssapi: { keytab: /no/keytab }\n`,
    );
    assert.equal(code, 2);
    assert.equal(lines.length, 1);
    assert.match(
      lines[0] ?? "",
      /^config\.yaml:2: gssapi\.keytab: .*the keytab FILE:\/no\/keytab does not exist/,
    );
  });

  await t.test(
    "warnings: no key that clients ask for, an address that is in use, rules that never match",
    async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await new Promise((resolve) => taken.once("listening", resolve));
      t.after(() => taken.close());
      const { port } = taken.address() as { port: number };
      const { code, stdout, lines } = await check(`
listeners: [{ address: 127.0.0.1:${port} }]
gssapi: { keytab: ${realm.keytab} }
rules:
  - deny: { to: [10.0.0.0/8] }
  - allow: { to: ["10.1.0.0/16:443"], level: integrity }
  - allow: { principal: ["*@EXAMPLE.TEST"] }
  - allow: { principal: [alice@EXAMPLE.TEST], to: ["*.example.test"] }
  - allow: { principal: [alice@EXAMPLE.TEST], to: [127.0.0.1] }
`);
      assert.equal(code, 0);
      assert.match(stdout, /config\.yaml: ok, with warnings: 4\n$/);
      const expected = [
        /^warning: config\.yaml:2: listeners\[0\]\.address: can't listen .*EADDRINUSE \(another program listens there\)$/,
        /^warning: config\.yaml:3: gssapi\.keytab: the keytab has no key for rcmd@.* or socks@/,
        /^warning: config\.yaml:6: rules\[1\]: rule 2 can never match: rule 1 matches whatever it would, deny: \{ to: \[10/,
        /^warning: config\.yaml:8: rules\[3\]: rule 4 can never match: rule 3 matches/,
      ];
      for (const [index, says] of expected.entries())
        assert.match(lines[index] ?? "", says, lines.join("\n"));
    },
  );

  await t.test("the file itself is wrong: that alone is told", async () => {
    const { code, lines } = await check("listeners: [{ address: here }]\nrules: [{ allow: { to: 1 } }]\n");
    assert.deepEqual([code, lines.length], [2, 2]);
  });

  await t.test("--schema, without a file", async () => {
    const { code, stdout } = await gssocks(["check", "--schema"]);
    assert.deepEqual([code, JSON.parse(stdout).title], [0, "The configuration of gssocks"]);
    const none = await gssocks(["check"]);
    assert.equal(none.code, 2);
    assert.match(none.stderr, /missing required argument 'config'/);
  });
});
