/**
 * What is tested: METHOD 0x02 of `gssocks serve` with passwords of a directory, a real slapd behind TLS: who gets in and
 * who does not, a directory that is down, curl; and that no password is in the output, the proxy's own included.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { makeAuthority, makeCertificate } from "../support/certificates.js";
import { Directory, SEARCHER, SUFFIX } from "../support/directory.js";
import { echo, Origin } from "../support/origin.js";
import {
  assertKeptOut,
  assertLetIn,
  assertSilent,
  curlWithPassword,
  type KeptOut,
} from "../support/password-client.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const PASSWORDS = { alice: "alice-directory-1207", bob: "bob-dïrectory-8830" };
const ENTRIES = Object.entries(PASSWORDS)
  .map(
    ([name, password]) => `
dn: uid=${name},${SUFFIX}
objectClass: inetOrgPerson
cn: ${name}
sn: ${name}
uid: ${name}
userPassword: ${password}
`,
  )
  .join("");

const WRONG = (name: string): KeptOut => ({
  code: "BAD_PASSWORD",
  reason: new RegExp(`^${JSON.stringify(name).replace(/[()*|]/g, "\\$&")}: wrong name or password$`),
});

test("passwords of a directory", async (t) => {
  let directory!: Directory;
  const { proxy } = await proxiedRealm(t, async (realm) => {
    const authority = await makeAuthority(realm.dir);
    const certificate = await makeCertificate(realm.dir, "directory", "IP:127.0.0.1", authority);
    directory = await Directory.start({ entries: ENTRIES, certificate });
    const bindPasswordFile = path.join(realm.dir, "bind-password");
    await writeFile(bindPasswordFile, SEARCHER.password, { mode: 0o600 });
    const ldap = { url: directory.ldap, ca: authority.certificate, base: SUFFIX, bindDn: SEARCHER.dn };
    return {
      listeners: [{ address: "127.0.0.1:0", methods: ["password"] }],
      passwords: { ldap: { ...ldap, bindPasswordFile } },
    };
  });
  showOnFailure(t, () => directory.logs());
  t.after(() => directory.stop());
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  await t.test("the right password, by the name as the directory writes it", async () => {
    for (const [name, password] of Object.entries(PASSWORDS))
      await assertLetIn(proxy, origin, { name, password });
    await assertLetIn(proxy, origin, { name: "ALICE", password: PASSWORDS.alice }, "alice");
  });

  await t.test("wrong passwords, unknown users, and what is a filter elsewhere", async () => {
    const attempts: [name: string, password: string][] = [
      ["alice", PASSWORDS.bob],
      ["bob", "guess-6125"],
      ["mallory", PASSWORDS.alice],
      ["*", PASSWORDS.alice],
      ["x)(|(uid=alice", PASSWORDS.alice],
    ];
    await Promise.all(
      attempts.map(([name, password]) => assertKeptOut(proxy, { name, password }, WRONG(name))),
    );
  });

  await t.test("curl", () => curlWithPassword(t, proxy, "alice", PASSWORDS.alice));

  await t.test("a directory that is down is no wrong password", async () => {
    await directory.stop();
    await assertKeptOut(
      proxy,
      { name: "alice", password: PASSWORDS.alice },
      { code: "LDAP_FAILED", reason: /^the directory .*ECONNREFUSED/, outcome: "failed" },
    );
  });

  await t.test("nothing of it is in the output", () => {
    assertSilent(proxy, [...Object.values(PASSWORDS), "guess-6125", SEARCHER.password]);
    assert.match(proxy.logs(), /"mallory/i, "the search finds what is there");
  });
});
