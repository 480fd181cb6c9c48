/**
 * What is tested: cross-realm trust, both directions. A user of one realm goes through a proxy whose keys are in the
 * other, with `gssocks connect` at the other end; log and audit record name the foreign principal. Once the trust is
 * gone, the client's message says which realm knows no way to which; where the two KDCs have different keys for it, that.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import type { Finished } from "../support/processes.js";
import { ProxyServer } from "../support/proxy.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

const HELLO = "from one realm to the other";

test("cross-realm trust", async (t) => {
  const one = await Realm.start({ realm: "ONE.TEST" });
  t.after(() => one.stop());
  const two = await Realm.start({ realm: "TWO.TEST", trustWith: one });
  const proxies: ProxyServer[] = [];
  showOnFailure(t, async () =>
    [...proxies.map((proxy) => proxy.logs()), await one.logs(), await two.logs()].join(""),
  );
  t.after(async () => {
    for (const proxy of proxies) await proxy.stop();
    await two.stop();
  });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  for (const [home, foreign] of [
    [one, two],
    [two, one],
  ] as const) {
    await t.test(`a user of ${home.name} at a proxy of ${foreign.name}`, async (t) => {
      const proxy = await ProxyServer.start(foreign);
      proxies.push(proxy);
      const conf = path.join(home.dir, "localhost-is-foreign.conf");
      const text = await readFile(home.env.KRB5_CONFIG as string, "utf8");
      await writeFile(conf, text.replace(`localhost = ${home.name}`, `localhost = ${foreign.name}`));

      /** `gssocks connect` with a ticket of this moment. */
      async function connect(ccache: string): Promise<Finished> {
        const env = {
          ...home.env,
          KRB5_CONFIG: conf,
          KRB5CCNAME: await home.kinit("alice", { ccache }),
        };
        const args = ["connect", "127.0.0.1", String(origin.port), "--proxy", proxy.address];
        return gssocks(args, { env, input: HELLO });
      }

      const kdcRefuses =
        /a KDC could not read the ticket it was shown: .*"rcmd@localhost" is in another realm, .* the same key, with the same version/;

      async function assertRefused(ccache: string, says: RegExp): Promise<void> {
        const { code, stdout, stderr } = await connect(ccache);
        assert.deepEqual([code, stdout], [1, ""]);
        assert.match(stderr, /^gssocks: [^\n]+\n$/, "one line");
        assert.match(stderr, says);
      }

      await t.test("trusted: it gets in, under its own name", async () => {
        const { stdout, stderr } = await connect("trusted");
        assert.deepEqual([stdout, stderr], [HELLO, ""]);
        const principal = `alice@${home.name}`;
        const authenticated = await proxy.waitForLog(({ msg }) => msg === "authenticated");
        assert.deepEqual(
          [authenticated.principal, authenticated.acceptor],
          [principal, `rcmd/localhost@${foreign.name}`],
        );
        const record = await proxy.audit();
        assert.deepEqual(
          [record.outcome, record.principal, record.mechanism, record.bytesUp],
          ["completed", principal, "krb5", HELLO.length],
        );
      });

      await t.test("the KDCs have different versions of the key for the trust", async () => {
        await home.kadmin([`cpw -randkey krbtgt/${foreign.name}@${home.name}`]);
        await assertRefused("versions-differ", kdcRefuses);
      });

      await t.test("the KDCs have different keys of the same version for the trust", async () => {
        await home.kadmin([`modprinc -kvno 1 krbtgt/${foreign.name}@${home.name}`]);
        await assertRefused("keys-differ", kdcRefuses);
      });

      await t.test("not trusted", async () => {
        await home.kadmin([`delprinc -force krbtgt/${foreign.name}@${home.name}`]);
        const says = `"rcmd@localhost" is taken to be in realm ${foreign.name}, to which realm ${home.name} knows no way: .*trust`;
        await assertRefused("not-trusted", new RegExp(says));
      });
    });
  }
});
