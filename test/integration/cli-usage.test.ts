/**
 * Bad command lines and configurations: exit status 2, nothing on standard output, and a message that names the option
 * or the key's path and says what was expected. Help and version: exit status 0.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";

const PROXY = ["--proxy", "localhost:1080"];
const CAROL = ["--user", "carol", "--password-file", "/dev/null"];

const badCommandLines: readonly [args: string[], says: RegExp][] = [
  [[], /Usage: gssocks .*connect.*serve|Usage: gssocks .*serve.*connect/s],
  [["nosuch"], /unknown command 'nosuch'/],
  [["serve"], /required option '-c, --config <file>' not specified/],
  [["serve", "--config"], /argument missing/],
  [["serve", "--config", "x", "--nosuch"], /unknown option '--nosuch'/],
  [
    ["connect", "db.example.test", "5432", "--proxy", "192.0.2.1:1080", ...CAROL],
    /in clear to 192\.0\.2\.1: add --tls, or say --send-clear-text-password/,
  ],
  [["connect", "db.example.test", "5432"], /required option '-p, --proxy <host:port>' not specified/],
  [["connect", "db.example.test", ...PROXY], /missing required argument 'port'/],
  [["connect", "db.example.test", "5432", "more", ...PROXY], /too many arguments/],
  [["connect", "db.example.test", "0", ...PROXY], /'port'.*expected a port from 1 to 65535/],
  [["connect", "db.example.test", "65536", ...PROXY], /'port'.*expected a port from 1 to 65535/],
  [["connect", "two words", "5432", ...PROXY], /'host'.*expected a host name or an IP address/],
  [["connect", "", "5432", ...PROXY], /'host'.*expected a host name or an IP address/],
  [["connect", "db.example.test", "5432", "--proxy", "localhost"], /--proxy.*expected HOST:PORT, as /],
  [["connect", "db.example.test", "5432", "--proxy", "::1:1080"], /--proxy.*expected HOST:PORT, as /],
  [["connect", "db.example.test", "5432", "--proxy", "localhost:99999"], /--proxy.*expected a port from 1 /],
  [["connect", "db.example.test", "5432", ...PROXY, "--level", "integrity,secret"], /--level.*not "secret"/],
  [
    ["connect", "db.example.test", "5432", ...PROXY, "--level", ""],
    /--level.*confidentiality, integrity, none/,
  ],
  [["connect", "db.example.test", "5432", ...PROXY, "--service", "a@b"], /--service.*as rcmd or socks/],
  [["connect", "db.example.test", "5432", ...PROXY, "--timeout", "0"], /--timeout.*expected seconds/],
  [["connect", "db.example.test", "5432", ...PROXY, "--timeout", "soon"], /--timeout.*expected seconds/],
  [["connect", "db.example.test", "5432", ...PROXY, "--method", "gssapi,ticket"], /--method.*not "ticket"/],
  [["connect", "db.example.test", "5432", ...PROXY, "--protocol", "https"], /--protocol.*socks5, http/],
  [["connect", "db.example.test", "5432", ...PROXY, "--user", "carol"], /needs --user and --password-file/],
  [["connect", "db.example.test", "5432", ...PROXY, "--user", ""], /--user.*1 to 255 octets/],
  [["connect", "db.example.test", "5432", ...PROXY, "--password-file", "/no"], /--password-file.*ENOENT/],
];

test("a bad command line", async (t) => {
  for (const [args, says] of badCommandLines) {
    await t.test(`gssocks ${args.join(" ")}`, async () => {
      const { code, stdout, stderr } = await gssocks(args);
      assert.equal(code, 2);
      assert.match(stderr, says);
      assert.equal(stdout, "");
    });
  }
});

test("help and version", async () => {
  const version = await gssocks(["--version"]);
  assert.deepEqual([version.code, version.stderr], [0, ""]);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await gssocks(["connect", "--help"]);
  assert.deepEqual([help.code, help.stderr], [0, ""]);
  assert.match(help.stdout, /^Usage: gssocks connect \[options\] <host> <port>$/m);
  for (const option of ["--proxy", "--level", "--service", "--nec", "--timeout"]) {
    assert.ok(help.stdout.includes(option), option);
  }
});

test("a bad configuration", async (t) => {
  const dir = await mkdtemp(path.join(tmpdir(), "cli-"));
  t.after(() => rm(dir, { recursive: true }));

  async function serve(text: string): Promise<string[]> {
    const file = path.join(dir, "config.yaml");
    await writeFile(file, text);
    const { code, stdout, stderr } = await gssocks(["serve", "--config", file]);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    return stderr.trimEnd().replaceAll(file, "FILE").split("\n");
  }

  await t.test(
    "every problem at once, each with its line, its key's path and what was expected",
    async () => {
      const [first, second, third, ...rest] = await serve(
        [
          "listeners:",
          "  - address: localhost:1080",
          "gssapi:",
          "  protectionLevels: [confidential]",
          "  keytap: /etc/krb5.keytab",
          "rules: []",
        ].join("\n"),
      );
      assert.match(
        first ?? "",
        /^gssocks: FILE:2: listeners\[0\]\.address: expected an IP address and a port, .*"localhost:1080"/,
      );
      assert.match(second ?? "", /FILE:4: gssapi\.protectionLevels\[0\]: expected one of .*"confidential"/);
      assert.match(third ?? "", /FILE:5: gssapi\.keytap: unknown key; expected one of keytab/);
      assert.deepEqual(rest, []);
    },
  );

  await t.test("no YAML", async () => {
    assert.match((await serve("listeners: [")).join("\n"), /^gssocks: FILE:1: /);
  });

  await t.test("no file", async () => {
    const file = path.join(dir, "nosuch.yaml");
    const { code, stderr } = await gssocks(["serve", "--config", file]);
    assert.equal(code, 2);
    assert.ok(stderr.startsWith(`gssocks: ${file}: cannot be read: ENOENT`), stderr);
  });
});
