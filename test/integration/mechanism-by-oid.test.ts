/**
 * What is tested: a mechanism that gssapi.mechanisms names by its OID. Those without a name of ours go through to
 * relayed data as the others do (krb5 under its two older numbers, which MIT's library has as mechanisms of their own);
 * with one that the library does not have the server does not start, and says which.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { assertEchoes } from "../support/conversation.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("mechanisms by OID", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  for (const [mechanism, name] of [
    ["1.2.840.113554.1.2.2", "krb5"],
    ["1.2.840.48018.1.2.2", "1.2.840.48018.1.2.2"],
    ["1.3.5.1.5.2", "1.3.5.1.5.2"],
  ] as const) {
    await t.test(mechanism, async (t) => {
      const proxy = await ProxyServer.start(realm, { gssapi: { mechanisms: [mechanism] } });
      showOnFailure(t, () => proxy.logs());
      t.after(() => proxy.stop());
      for (const level of [1, 2] as const) {
        const client = await RawClient.through(proxy, origin, { mechanism, level });
        await assertEchoes(client, level === 2);
        client.socket.end();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.outcome, record.mechanism], ["completed", name]);
        client.close();
      }
    });
  }

  // SPKM-1 (RFC 2025), which no library of today has.
  for (const mechanisms of [["1.3.6.1.5.5.1.1"], ["krb5", "1.3.6.1.5.5.1.1"]]) {
    await t.test(`[${mechanisms.join(", ")}]`, async () => {
      const config = path.join(realm.dir, "config.yaml");
      const gssapi = { keytab: realm.keytab, mechanisms };
      await writeFile(config, JSON.stringify({ listeners: [{ address: "127.0.0.1:0" }], gssapi }));
      const { code, stderr } = await gssocks(["serve", "--config", config], { env: realm.env });
      assert.equal(code, 1);
      assert.match(stderr, /^gssocks: [^\n]*has no mechanism 1\.3\.6\.1\.5\.5\.1\.1: check its OID/);
    });
  }
});
