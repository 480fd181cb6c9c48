// Passwords of a directory, a real slapd: who gets in, by which name, and only through TLS with a certificate we know.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { LdapBind, type LdapBindOptions } from "../../../src/auth/ldap-bind.js";
import { ConfigError, NetworkError, PolicyError, UsageError } from "../../../src/errors.js";
import { makeAuthority, makeCertificate } from "../../support/certificates.js";
import { Directory, SEARCHER, SUFFIX } from "../../support/directory.js";
import { showOnFailure } from "../../support/show-on-failure.js";

const person = (dn: string, uids: string[], password?: string) => `
dn: ${dn},${SUFFIX}
objectClass: inetOrgPerson
cn: somebody
sn: somebody
${uids.map((uid) => `uid: ${uid}`).join("\n")}
${password === undefined ? "" : `userPassword: ${password}\n`}`;

const ENTRIES = `
dn: ou=staff,${SUFFIX}
objectClass: organizationalUnit
ou: staff
${person("uid=Alice,ou=staff", ["Alice"], "alice-password")}
${person("cn=bob\\2C the second,ou=staff", ["bob"], "bob-pässword")}
${person("cn=twin1,ou=staff", ["twin"], "twin-password")}
${person("cn=twin2", ["twin"], "twin-password")}
${person("cn=many", ["one", "other"], "many-password")}
${person("cn=none", ["nopassword"])}
${person("cn=odd", ["a*(b)\\c"], "odd-password")}
`;

async function who(passwords: LdapBind, name: string, password: string | Buffer): Promise<string | null> {
  return (await passwords.verify(name, Buffer.from(password as string)))?.principal ?? null;
}

const failed = (says: RegExp) => (error: unknown) =>
  error instanceof NetworkError && error.code === "LDAP_FAILED" && says.test(error.message);

test("passwords of a directory", async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), "ldap-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const authority = await makeAuthority(dir);
  const certificate = await makeCertificate(dir, "directory", "IP:127.0.0.1", authority);
  const directory = await Directory.start({ entries: ENTRIES, certificate });
  showOnFailure(t, () => directory.logs());
  t.after(() => directory.stop());

  const bindPasswordFile = path.join(dir, "bind-password");
  writeFileSync(bindPasswordFile, `${SEARCHER.password}\n`, { mode: 0o600 });
  const options = {
    ca: authority.certificate,
    base: SUFFIX,
    nameAttribute: "uid",
    bindDn: SEARCHER.dn,
    bindPasswordFile,
    timeout: 10_000,
  };
  const create = (more: Partial<LdapBindOptions> = {}) =>
    LdapBind.create({ ...options, url: directory.ldaps, ...more });

  for (const url of [directory.ldaps, directory.ldap]) {
    await t.test(
      `${url.replace(/:.*/, "")}: a right password is the name as the directory writes it`,
      async () => {
        const passwords = await create({ url });
        assert.equal(await who(passwords, "Alice", "alice-password"), "Alice");
        assert.equal(await who(passwords, "aLICE", "alice-password"), "Alice");
        assert.equal(await who(passwords, "bob", "bob-pässword"), "bob");
        assert.equal(await who(passwords, "a*(b)\\c", "odd-password"), "a*(b)\\c");
      },
    );

    await t.test(
      `${url.replace(/:.*/, "")}: a wrong password, an unknown user, and what is a filter elsewhere`,
      async () => {
        const passwords = await create({ url });
        for (const [name, password] of [
          ["alice", "bob-pässword"],
          ["alice", "Alice-password"],
          ["alice", ""],
          ["alice", Buffer.from("616c696365ff", "hex")],
          ["carol", "alice-password"],
          ["nopassword", "x"],
          ["*", "alice-password"],
          ["al*", "alice-password"],
          ["a\\6cice", "alice-password"],
          ["alice)(uid=*", "alice-password"],
          ["x)(|(uid=alice", "alice-password"],
          [`uid=Alice,ou=staff,${SUFFIX}`, "alice-password"],
        ] as const)
          assert.equal(await who(passwords, name, password), null, name);
      },
    );
  }

  await t.test("many at once, each judged by its own password", async () => {
    const passwords = await create();
    const verdicts = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((index) =>
        who(passwords, index % 2 ? "alice" : "bob", index % 3 ? "bob-pässword" : "x"),
      ),
    );
    assert.deepEqual(verdicts, [null, null, "bob", null, "bob", null]);
  });

  await t.test(
    "an entry that is not the only one, or has not one name, is refused with that reason",
    async () => {
      const passwords = await create();
      for (const [name, password, says] of [
        ["twin", "twin-password", /more than one entry below dc=example,dc=test has this uid/],
        ["one", "many-password", /cn=many,dc=example,dc=test has not just one uid/],
      ] as const)
        await assert.rejects(
          who(passwords, name, password),
          (error) => error instanceof PolicyError && says.test(error.message),
        );
    },
  );

  await t.test("the base and a filter narrow who is asked", async () => {
    const staff = await create({ base: `ou=staff,${SUFFIX}` });
    assert.equal(await who(staff, "twin", "twin-password"), "twin");
    assert.equal(await who(staff, "a*(b)\\c", "odd-password"), null);
    const second = await create({ filter: "(&(objectClass=inetOrgPerson)(!(cn=twin2)))" });
    assert.equal(await who(second, "twin", "twin-password"), "twin");
    for (const filter of ["", "uid=x", "(uid=x", "(&(uid=x)", "(uid=x))", "(uid=x)(uid=y)", "(uid)"])
      await assert.rejects(create({ filter }), (error) => error instanceof UsageError, filter);
  });

  await t.test(
    "a certificate of an unknown authority or for another name is refused before any name is sent",
    async () => {
      const before = directory.binds;
      const stranger = await makeAuthority(dir, "stranger");
      for (const url of [directory.ldaps, directory.ldap]) {
        for (const [ca, says] of [
          [stranger.certificate, /unable to verify|self.signed|unable to get/i],
          [undefined, /unable to verify|self.signed|unable to get/i],
        ] as const)
          await assert.rejects(who(await create({ url, ca }), "alice", "alice-password"), failed(says));
        const named = url.replace("127.0.0.1", "localhost");
        await assert.rejects(
          who(await create({ url: named }), "alice", "alice-password"),
          failed(/localhost/),
        );
      }
      assert.equal(directory.binds, before);
    },
  );

  await t.test("what is wrong with our own configuration is told, and not as a wrong password", async () => {
    const wrong = path.join(dir, "wrong");
    writeFileSync(wrong, "not the password\n");
    for (const [more, says] of [
      [{ bindPasswordFile: wrong }, /refuses our own name cn=proxy,dc=example,dc=test: /],
      [{ bindDn: undefined, bindPasswordFile: undefined }, /answers: /],
      [{ base: "dc=elsewhere" }, /answers: /],
      [{ bindDn: "no dn" }, /refuses our own name no dn: /],
    ] as const)
      await assert.rejects(
        who(await create(more), "alice", "alice-password"),
        failed(says),
        JSON.stringify(more),
      );
  });

  await t.test("its files are told when they can't be read, and the password is read anew", async () => {
    const file = path.join(dir, "rotated");
    for (const [more, says] of [
      [{ bindPasswordFile: file }, /ENOENT/],
      [{ ca: path.join(dir, "no-ca") }, /ENOENT/],
      [{ ca: "/dev/zero" }, /no regular file/],
    ] as const)
      await assert.rejects(create(more), (error) => error instanceof ConfigError && says.test(error.message));
    writeFileSync(file, "\n");
    await assert.rejects(
      create({ bindPasswordFile: file }),
      /the first line is to be the password, and is empty/,
    );
    writeFileSync(file, "old");
    const passwords = await create({ bindPasswordFile: file });
    await assert.rejects(who(passwords, "alice", "alice-password"), failed(/refuses our own name/));
    writeFileSync(file, SEARCHER.password);
    assert.equal(await who(passwords, "alice", "alice-password"), "Alice");
  });
});

test("a directory without TLS gets no password, and one that is gone is told", async (t) => {
  const directory = await Directory.start({ entries: ENTRIES });
  showOnFailure(t, () => directory.logs());
  t.after(() => directory.stop());
  const passwords = await LdapBind.create({
    url: directory.ldap,
    base: SUFFIX,
    nameAttribute: "uid",
    timeout: 10_000,
  });
  await assert.rejects(who(passwords, "alice", "alice-password"), failed(/answers: /));
  assert.equal(directory.binds, 0);
  const gone = await LdapBind.create({
    url: "ldap://127.0.0.1:1",
    base: SUFFIX,
    nameAttribute: "uid",
    timeout: 10_000,
  });
  await assert.rejects(who(gone, "alice", "alice-password"), failed(/can't be asked: .*ECONNREFUSED/));
});
