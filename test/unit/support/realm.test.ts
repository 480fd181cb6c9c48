// The realm driver: tickets, passwords, rotation, a KDC that goes away and comes back, trust, and nothing left behind.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import net from "node:net";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { run, runToEnd } from "../../support/processes.js";
import { Realm } from "../../support/realm.js";
import { showOnFailure } from "../../support/show-on-failure.js";

test("one realm", async (t) => {
  const realm = await Realm.start({
    principals: { carol: "carol's password" },
    services: ["HTTP/web.example.test"],
  });
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());

  await t.test("alice signs in with her key and gets tickets for every service", async () => {
    const ccache = await realm.kinit("alice");
    assert.equal(ccache, realm.env.KRB5CCNAME);
    const services = [
      "rcmd/localhost",
      "socks/localhost",
      "host/localhost",
      "rcmd/proxy.example.test",
      "HTTP/web.example.test",
    ];
    await run("kvno", services, { env: realm.env });
    // Host-based, as SOCKS clients ask: names are taken as typed, and an address is found too.
    for (const host of ["localhost", "127.0.0.1", "proxy.example.test"])
      await run("kvno", ["-S", "rcmd", host], { env: realm.env });
    const { stdout } = await run("klist", ["-e"], { env: realm.env });
    assert.match(stdout, /Default principal: alice@EXAMPLE\.TEST/);
    assert.match(stdout, /aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha1-96/);
    assert.ok(existsSync(realm.traceFile));
  });

  await t.test("a password must be the right one, and the caches are apart", async () => {
    const ccache = await realm.kinit("carol", {
      password: "carol's password",
      ccache: "carol",
      lifetime: 60,
    });
    assert.match((await run("klist", ["-c", ccache], { env: realm.env })).stdout, /carol@EXAMPLE\.TEST/);
    await assert.rejects(realm.kinit("carol", { password: "wrong", ccache: "wrong" }), /Password incorrect/);
  });

  await t.test("a rotated key is added with the next version", async () => {
    await realm.ktadd("rcmd/localhost");
    const { stdout } = await run("klist", ["-k", realm.keytab], { env: realm.env });
    assert.deepEqual(
      stdout.split("\n").flatMap((line) => /^ *(\d+) rcmd\/localhost@EXAMPLE\.TEST$/.exec(line)?.[1] ?? []),
      ["2", "3"],
    );
  });

  await t.test("kadmin rejects what kadmin.local complains of", async () => {
    await realm.addPrincipal("dave", "dave-password");
    await realm.kinit("dave", { ccache: "dave" });
    await assert.rejects(realm.addPrincipal("dave", "dave-password"), /already exists/);
  });

  await t.test("without a KDC there is no ticket; it comes back on its port", async () => {
    await realm.stopKdc();
    await assert.rejects(realm.kinit("bob", { ccache: "bob" }), /Cannot contact any KDC/);
    await realm.startKdc();
    await realm.kinit("bob", { ccache: "bob" });
  });

  await t.test("its port is refused to a second KDC", async () => {
    const script = fileURLToPath(new URL("../../../../krb5-testenv/reserve-port.pl", import.meta.url));
    const env = { KDC_PORT: String(realm.kdcPort) };
    const second = await runToEnd("perl", [script, "true"], { env });
    assert.notEqual(second.code, 0);
    assert.match(second.stderr, /no free port/);
  });

  await t.test("entering sets this process's own environment, as C sees it", async () => {
    const before = process.env.KRB5_CONFIG;
    realm.enter();
    // A child started without `env` gets what getenv(3) would find here.
    assert.equal((await run("printenv", ["KRB5_CONFIG"])).stdout.trim(), realm.env.KRB5_CONFIG);
    await realm.stop();
    assert.equal(process.env.KRB5_CONFIG, before);
    assert.ok(!existsSync(realm.dir));
    await assert.rejects(
      new Promise((resolve, reject) =>
        net.connect(realm.kdcPort, "127.0.0.1").on("connect", resolve).on("error", reject),
      ),
      /ECONNREFUSED/,
    );
  });
});

for (const enctype of ["aes256-cts-hmac-sha384-192", "aes128-cts-hmac-sha256-128"]) {
  test(`enctype ${enctype}, short tickets`, async (t) => {
    const realm = await Realm.start({ enctypes: [enctype], lifetime: 90 });
    t.after(() => realm.stop());
    await realm.kinit("alice");
    await run("kvno", ["rcmd/localhost"], { env: realm.env });
    const { stdout } = await run("klist", ["-e"], { env: realm.env });
    assert.match(stdout, new RegExp(`skey\\), tkt\\): ${enctype}, ${enctype}|${enctype}, ${enctype}`));
  });
}

test("two realms that trust each other, beside a third of the same name that shares nothing", async (t) => {
  const first = await Realm.start();
  t.after(() => first.stop());
  const second = await Realm.start({ realm: "OTHER.TEST", trustWith: first });
  t.after(() => second.stop());
  const stranger = await Realm.start();
  t.after(() => stranger.stop());
  assert.equal(new Set([first.kdcPort, second.kdcPort, stranger.kdcPort]).size, 3);

  // A user of the second reaches a service of the first, with the first's configuration, and the other way round.
  await second.kinit("bob");
  await run("kvno", ["rcmd/proxy.example.test@EXAMPLE.TEST"], {
    env: { ...first.env, KRB5CCNAME: second.env.KRB5CCNAME },
  });
  await first.kinit("alice");
  await run("kvno", ["-S", "rcmd", "proxy.other.test"], { env: first.env });
  const foreign = await runToEnd("kvno", ["rcmd/localhost"], {
    env: { ...stranger.env, KRB5CCNAME: first.env.KRB5CCNAME },
  });
  assert.notEqual(foreign.code, 0);
});
