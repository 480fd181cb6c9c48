/**
 * What is tested: METHOD 0x02 of `gssocks serve` with a users file that htpasswd, openssl and `gssocks passwd` wrote
 * (bcrypt, SHA-crypt, argon2): who gets in, what a client is told that does not, that the file may change while the proxy
 * serves, with the log and the audit record of each; curl; and that nothing of a password is in the output.
 */
import assert from "node:assert/strict";
import { appendFile, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import {
  assertKeptOut,
  assertLetIn,
  assertSilent,
  curlWithPassword,
  type KeptOut,
} from "../support/password-client.js";
import { run } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const PASSWORDS = {
  alice: "alice:bcrypt-9241",
  bob: "bob sha crypt 7713",
  carol: "cärol-argon2-5508",
};
const SECOND = "alice-second-6620";
const GUESSES = ["guess-3311", "bob sha crypt 7714", "", Buffer.from("fffe00fd", "hex")];
const WRONG = (name: string): KeptOut => ({
  code: "BAD_PASSWORD",
  reason: new RegExp(`^"${name}": wrong name or password$`),
});

test("passwords of a users file", async (t) => {
  let file = "";
  async function passwd(name: string, password: string): Promise<void> {
    const { code, stderr } = await gssocks(["passwd", file, name], { input: password });
    assert.equal(code, 0, stderr);
  }
  const { proxy, realm } = await proxiedRealm(t, async (realm) => {
    file = path.join(realm.dir, "users");
    await run("htpasswd", ["-cbB", file, "alice", PASSWORDS.alice]);
    const { stdout } = await run("openssl", ["passwd", "-6", "-stdin"], { input: PASSWORDS.bob });
    await appendFile(file, `bob:${stdout}`);
    await passwd("carol", PASSWORDS.carol);
    return { listeners: [{ address: "127.0.0.1:0", methods: ["gssapi", "password"] }], passwords: { file } };
  });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  for (const [name, password] of Object.entries(PASSWORDS)) {
    await t.test(`${name}: the right password`, () => assertLetIn(proxy, origin, { name, password }));
  }

  await t.test("wrong passwords and unknown users", async () => {
    const attempts: [name: string, password: string | Buffer, expected?: KeptOut][] = [
      ["alice", PASSWORDS.bob],
      ["alice", GUESSES[0] as string],
      ["bob", GUESSES[1] as string],
      ["bob", GUESSES[2] as string, { code: "BAD_PASSWORD", reason: /^"bob": the password is empty$/ }],
      ["carol", GUESSES[3] as Buffer],
      ["Alice", PASSWORDS.alice],
      ["nobody", "nobody"],
    ];
    await Promise.all(
      attempts.map(([name, password, expected = WRONG(name)]) =>
        assertKeptOut(proxy, { name, password }, expected),
      ),
    );
  });

  await t.test("what is no subnegotiation of RFC 1929 is refused in the same way", async () => {
    await Promise.all(
      [
        ["50", "BAD_VERSION"],
        ["0100", "NO_USERNAME"],
      ].map(async ([octets = "", code = ""]) => {
        const client = await RawClient.connect(proxy.port);
        client.send(5, 1, 2, Buffer.from(octets, "hex"));
        await assertKeptOut(proxy, client, { code, reason: /./, outcome: "failed" });
      }),
    );
  });

  await t.test("curl", () => curlWithPassword(t, proxy, "carol", PASSWORDS.carol));

  await t.test("the file changes while the proxy serves", async () => {
    await passwd("alice", SECOND);
    await Promise.all([
      assertKeptOut(proxy, { name: "alice", password: PASSWORDS.alice }, WRONG("alice")),
      assertLetIn(proxy, origin, { name: "alice", password: SECOND }),
    ]);
    await run("htpasswd", ["-D", file, "bob"]);
    await assertKeptOut(proxy, { name: "bob", password: PASSWORDS.bob }, WRONG("bob"));
  });

  await t.test("a line that is damaged is nobody's, and the log names it once", async () => {
    const before = await readFile(file, "utf8");
    await writeFile(file, before.replace(/^carol:/m, "mallory:not-a-hash\n$&"));
    await assertKeptOut(proxy, { name: "mallory", password: "not-a-hash" }, WRONG("mallory"));
    await assertLetIn(proxy, origin, { name: "carol", password: PASSWORDS.carol });
    const warnings = proxy.log().filter(({ msg }) => msg === "warning");
    assert.equal(warnings.length, 1, JSON.stringify(warnings));
    assert.match(String(warnings[0]?.reason), /users:2: /);
    await writeFile(file, before);
  });

  await t.test("without the file nobody can be judged, until it is there again", async () => {
    const away = path.join(realm.dir, "users.away");
    await rename(file, away);
    await assertKeptOut(
      proxy,
      { name: "carol", password: PASSWORDS.carol },
      { code: "CONFIG_INVALID", reason: /users: .*ENOENT/, outcome: "failed" },
    );
    await rename(away, file);
    await assertLetIn(proxy, origin, { name: "carol", password: PASSWORDS.carol });
  });

  await t.test("nothing of it is in the output", async () => {
    const hashes = [...(await readFile(file, "utf8")).matchAll(/^\w+:(\$.*)$/gm)].map(
      ([, hash = ""]) => hash,
    );
    assert.equal(hashes.length, 2);
    const secrets = [...Object.values(PASSWORDS), SECOND, ...GUESSES.filter((each) => each.length > 0)];
    assertSilent(proxy, [...secrets, ...hashes]);
    assert.match(proxy.logs(), /"carol/, "the search finds what is there");
  });
});
