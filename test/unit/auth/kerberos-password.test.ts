// Passwords that real KDCs judge, and KDCs that lie.
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { KerberosPassword, type KerberosPasswordOptions } from "../../../src/auth/kerberos-password.js";
import { GssError, PolicyError } from "../../../src/errors.js";
import { Realm } from "../../support/realm.js";
import { showOnFailure } from "../../support/show-on-failure.js";
import { ENCTYPES } from "../gss/establish.js";

async function who(passwords: KerberosPassword, name: string, password: string): Promise<string | null> {
  return (await passwords.verify(name, Buffer.from(password)))?.principal ?? null;
}

for (const enctype of ENCTYPES) {
  test(`passwords of a realm, ${enctype}`, async (t) => {
    const realm = await Realm.start({ enctypes: [enctype], services: ["HTTP/proxy.example.test"] });
    showOnFailure(t, () => realm.logs());
    t.after(() => realm.stop());
    realm.enter();
    // A ticket that lies about must not stand in for the password.
    await realm.kinit("alice");

    async function created(options: KerberosPasswordOptions = {}): Promise<KerberosPassword> {
      const passwords = await KerberosPassword.create(options);
      t.after(() => passwords.close());
      return passwords;
    }
    const passwords = await created();

    await t.test("a right password is the principal, with the realm or without", async () => {
      for (const name of ["alice", "alice@EXAMPLE.TEST", "alice@example.test"])
        assert.equal(await who(passwords, name, "alice-password"), "alice@EXAMPLE.TEST", name);
    });

    await t.test("many at once, each judged by its own password", async () => {
      const verdicts = await Promise.all(
        [0, 1, 2, 3, 4, 5].map((index) =>
          who(passwords, index % 2 ? "alice" : "bob", index % 3 ? "bob-password" : "x"),
        ),
      );
      assert.deepEqual(verdicts, [null, null, "bob@EXAMPLE.TEST", null, "bob@EXAMPLE.TEST", null]);
    });

    await t.test("a wrong password, an unknown user, and names that are none", async () => {
      for (const [name, password] of [
        ["alice", "bob-password"],
        ["alice", "alice-password\0"],
        ["alice", "\0"],
        ["carol", "alice-password"],
        ["Alice", "alice-password"],
        ["alice@OTHER.TEST", "alice-password"],
        ["alice@EXAMPLE.TEST@EXAMPLE.TEST", "alice-password"],
        ["alice\\@OTHER.TEST", "alice-password"],
        ["alice\\", "alice-password"],
        ["ali ce", "alice-password"],
        ["@EXAMPLE.TEST", "alice-password"],
        ["alice@", "alice-password"],
        ["", "alice-password"],
      ] as const)
        assert.equal(await who(passwords, name, password), null, name);
    });

    await t.test("without preauthentication a wrong password is one too", async () => {
      await realm.kadmin([
        "addprinc -clearpolicy -pw open-password -requires_preauth open",
        // Or it takes no ticket that was got without.
        "modprinc -requires_preauth rcmd/localhost",
      ]);
      assert.equal(await who(passwords, "open", "open-password"), "open@EXAMPLE.TEST");
      assert.equal(await who(passwords, "open", "wrong"), null);
    });

    await t.test("the log is told of an expired password and of a locked account", async () => {
      await realm.kadmin([
        'addprinc -clearpolicy -pw old-password -pwexpire "2001-01-01" old',
        'addprinc -clearpolicy -pw gone-password -expire "2001-01-01" gone',
        "addprinc -clearpolicy -pw locked-password -allow_tix locked",
      ]);
      for (const [name, says] of [
        ["old", /the password has expired/],
        ["gone", /locked or has expired/],
        ["locked", /locked or has expired/],
      ] as const)
        await assert.rejects(
          who(passwords, name, `${name}-password`),
          (error) => error instanceof PolicyError && says.test(error.message),
          name,
        );
    });

    await t.test("the service and the keytab may be chosen", async () => {
      const keytab = `FILE:${realm.keytab}`;
      for (const service of ["HTTP@proxy.example.test", "HTTP/proxy.example.test@EXAMPLE.TEST"]) {
        const chosen = await created({ service, keytab, realm: "EXAMPLE.TEST" });
        assert.equal(await who(chosen, "bob", "bob-password"), "bob@EXAMPLE.TEST");
      }
      const elsewhere = await created({ realm: "OTHER.TEST" });
      assert.equal(await who(elsewhere, "alice@EXAMPLE.TEST", "alice-password"), null);
    });

    await t.test("a keytab that can't be used is told at once", async () => {
      for (const [options, code] of [
        [{ keytab: `FILE:${realm.dir}/none` }, "KEYTAB_MISSING"],
        [{ service: "nosuch@localhost" }, "KEYTAB_NO_KEY"],
      ] as const)
        await assert.rejects(
          KerberosPassword.create(options),
          (error) => error instanceof GssError && error.code === code,
        );
    });

    await t.test("an older key is not the user's fault", async () => {
      const stale = path.join(realm.dir, "stale.keytab");
      copyFileSync(realm.keytab, stale);
      await realm.ktadd("HTTP/proxy.example.test");
      const behind = await created({ service: "HTTP@proxy.example.test", keytab: `FILE:${stale}` });
      await assert.rejects(
        who(behind, "alice", "alice-password"),
        (error) =>
          error instanceof GssError && error.code === "KDC_NOT_PROVEN" && /is older than/.test(error.message),
      );
      assert.equal(await who(behind, "alice", "wrong"), null);
    });

    await t.test("without its KDC nobody is judged", async () => {
      await realm.stopKdc();
      for (const password of ["alice-password", "wrong"])
        await assert.rejects(
          who(passwords, "alice", password),
          (error) => error instanceof GssError && error.code === "KDC_UNREACHABLE",
        );
      await realm.startKdc();
      assert.equal(await who(passwords, "alice", "alice-password"), "alice@EXAMPLE.TEST");
    });
  });
}

test("a KDC that answers in the true one's place lets nobody in", async (t) => {
  const realm = await Realm.start();
  const liar = await Realm.start({ principals: { mallory: "mallory-password" } });
  showOnFailure(t, async () => `${await realm.logs()}${await liar.logs()}`);
  t.after(async () => {
    await liar.stop();
    await realm.stop();
  });
  // It has the same names, and knows of alice what the attacker likes.
  await liar.kadmin(['cpw -pw "whatever I say" alice']);
  liar.enter();

  // Its own keytab would let alice in: the lie is complete but for our key.
  const fooled = await KerberosPassword.create({ keytab: `FILE:${liar.keytab}` });
  t.after(() => fooled.close());
  assert.equal(await who(fooled, "alice", "whatever I say"), "alice@EXAMPLE.TEST");

  const passwords = await KerberosPassword.create({ keytab: `FILE:${realm.keytab}` });
  t.after(() => passwords.close());
  const caught = (error: unknown) =>
    error instanceof GssError && error.code === "KDC_NOT_PROVEN" && /in the KDC's place/.test(error.message);

  await t.test("with a key of its own for our service", async () => {
    await assert.rejects(who(passwords, "alice", "whatever I say"), caught);
    await assert.rejects(who(passwords, "mallory", "mallory-password"), caught);
  });

  await t.test("with another version of it", async () => {
    const name = "rcmd/localhost";
    for (let version = 0; version < 3; version++) await liar.ktadd(name, path.join(liar.dir, "newer.keytab"));
    await assert.rejects(who(passwords, "alice", "whatever I say"), caught);
  });
});
