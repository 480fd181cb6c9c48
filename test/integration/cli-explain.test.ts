/**
 * What is tested: `gssocks explain` as a command: what it prints, as text and as JSON, its exit status, and that it looks up
 * what it is not told: addresses, the local name, groups.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir, userInfo } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { Realm } from "../support/realm.js";

const CONFIG = `
listeners:
  - address: 127.0.0.1:1080
    gssapi: { protectionLevels: [integrity] }
  - address: 127.0.0.1:1443
groups: { system: true }
rules:
  - deny: { to: ["*.bank.example.test", 10.9.0.0/16], not: { group: [root] } }
    reason: ask the bank's team
  - allow: { principal: ["*@EXAMPLE.TEST"], localName: [alice], to: ["10.0.0.0/8:5432"] }
    requireLevel: confidentiality
    total: never
  - allow: { to: [localhost] }
`;

test("gssocks explain", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "explain-"));
  t.after(() => rm(directory, { recursive: true }));
  const file = path.join(directory, "config.yaml");
  await writeFile(file, CONFIG);
  const realm = await Realm.start();
  t.after(() => realm.stop());
  const explain = (...args: string[]) => gssocks(["explain", file, ...args], { env: realm.env });

  await t.test("why each rule before did not match, which decides, and where to", async () => {
    const alice = ["--as", "alice@EXAMPLE.TEST", "--from", "10.1.2.3", "--to", "db.example.test:5432"];
    const addresses = [
      "--address",
      "10.9.1.1",
      "10.1.1.1",
      "--group",
      "staff",
      "--listener",
      "127.0.0.1:1443",
    ];
    const { code, stdout, stderr } = await explain(...alice, ...addresses);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(
      stdout,
      `alice@EXAMPLE.TEST (gssapi, krb5, level confidentiality) from 10.1.2.3 at 127.0.0.1:1443
local name: alice
groups: staff

By its name, before it is looked up:
  rule 1 depends on the address: deny: { to: [*.bank.example.test, 10.9.0.0/16], not: { group: [root] } }
  rule 2 depends on the address: allow: { to: [10.0.0.0/8:5432], principal: [*@EXAMPLE.TEST], localName: [alice] }

At 10.9.1.1:
  rule 1 matches: deny: { to: [*.bank.example.test, 10.9.0.0/16], not: { group: [root] } }

At 10.1.1.1:
  rule 1 does not match: deny: { to: [*.bank.example.test, 10.9.0.0/16], not: { group: [root] } }
    to: [*.bank.example.test, 10.9.0.0/16]: the destination is db.example.test at 10.1.1.1 port 5432
  rule 2 matches: allow: { to: [10.0.0.0/8:5432], principal: [*@EXAMPLE.TEST], localName: [alice] }

allow: rule 2 allows 10.0.0.0/8:5432, principal *@EXAMPLE.TEST, localName alice (10.1.1.1:5432)
`,
    );
  });

  await t.test("a denial: exit status 1, and the reason", async () => {
    const { code, stdout } = await explain("--as", "alice@EXAMPLE.TEST", "--to", "10.1.1.1:5432");
    assert.equal(code, 1);
    assert.match(
      stdout,
      /\ndeny: rule 2 allows .* only at level confidentiality, and the session's level is integrity\n$/,
    );
    const named = await explain("--as", "alice@EXAMPLE.TEST", "--to", "db.example.test:5432");
    assert.equal(named.code, 1);
    assert.match(
      named.stdout,
      /whatever its address; rule 2 might, only at level confidentiality, and the session's/,
    );
    const bank = await explain("--as", "bob@EXAMPLE.TEST", "--to", "www.bank.example.test:443");
    assert.equal(bank.code, 1);
    assert.match(
      bank.stdout,
      /\ndeny: rule 1 denies \*\.bank\.example\.test, not group: \[root\]: ask the bank's team\n$/,
    );
    const command = await explain("--as", "alice@EXAMPLE.TEST", "--to", "10.1.1.1:22", "--command", "bind");
    assert.equal(command.code, 1);
    assert.match(
      command.stdout,
      /\n {4}to: \[10\.0\.0\.0\/8:5432\]: the destination is 10\.1\.1\.1 port 22\n/,
    );
  });

  await t.test("as JSON; addresses and groups are looked up", async () => {
    const args = [
      "--as",
      userInfo().username,
      "--to",
      "localhost:80",
      "--json",
      "--at",
      "2024-01-01T00:00:00Z",
    ];
    const { code, stdout } = await explain(...args);
    const { decision, rule, addresses, client, judgements } = JSON.parse(stdout);
    assert.deepEqual([code, decision, rule], [0, "allow", 3]);
    assert.ok(addresses.includes("127.0.0.1") || addresses.includes("::1"), addresses);
    assert.deepEqual([client.method, client.user, client.level], ["password", userInfo().username, "none"]);
    assert.deepEqual(client.groups, userInfo().gid === 0 ? ["root"] : []);
    assert.equal(judgements[0].address, null);
    const second = await explain(
      "--as",
      "alice@EXAMPLE.TEST",
      "--level",
      "confidentiality",
      "--to",
      "10.1.1.1:5432",
      "--json",
    );
    assert.equal(JSON.parse(second.stdout).terms.total, "never");
  });

  await t.test("a name that does not exist is a failure: nothing is decided", async () => {
    const alice = ["--as", "alice@EXAMPLE.TEST", "--level", "confidentiality"];
    const { code, stdout, stderr } = await explain(...alice, "--to", "nosuch.invalid:5432");
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /the name nosuch\.invalid /);
  });

  const bad: [args: string[], says: RegExp][] = [
    [[], /required option '--to <host:port>' not specified/],
    [["--to", "a"], /--to.*expected HOST:PORT/],
    [["--to", "a:1", "--from", hostname()], /--from.*expected an IP address/],
    [["--to", "a:1", "--method", "ticket"], /--method.*Allowed choices are gssapi, /],
    [["--to", "a:1", "--command", "dial"], /--command.*Allowed choices are connect, /],
    [["--to", "a:1", "--level", "high"], /--level.*Allowed choices are none, /],
    [["--to", "a:1", "--mechanism", "magic"], /--mechanism.*expected a mechanism/],
    [["--to", "a:1", "--listener", "127.0.0.1:1"], /the configuration has no listener 127\.0\.0\.1:1/],
    [["--to", "a:1", "--at", "noon"], /--at.*expected a time as/],
    [["--to", "a:1", "--address", "db"], /--address.*expected an IP address/],
  ];
  for (const [args, says] of bad) {
    await t.test(`a bad command line: ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await explain(...args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, says);
    });
  }
});
