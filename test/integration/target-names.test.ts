/**
 * What is tested: gssapi.targetNames. A client may ask for a name on the list, written either way, and for another key
 * of the same keytab only where there is no list; a refusal is in the log and in the audit record, with the name that
 * was asked for.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";
import { Realm } from "../support/realm.js";
import { refusal } from "../support/refusal.js";
import { showOnFailure } from "../support/show-on-failure.js";

const LISTS: readonly [list: readonly string[] | undefined, allowed: string[], refused: string[]][] = [
  [undefined, ["rcmd@localhost", "host@localhost", "socks@localhost"], []],
  [["rcmd@localhost"], ["rcmd@localhost"], ["host@localhost", "socks@localhost", "rcmd@proxy.example.test"]],
  [
    ["socks/localhost@EXAMPLE.TEST", "rcmd@proxy.example.test"],
    ["socks@localhost", "rcmd@proxy.example.test"],
    ["rcmd@localhost"],
  ],
];

test("gssapi.targetNames", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  for (const [targetNames, allowed, refused] of LISTS) {
    await t.test(targetNames === undefined ? "without a list" : `[${targetNames.join(", ")}]`, async (t) => {
      const proxy = await ProxyServer.start(realm, { gssapi: targetNames ? { targetNames } : {} });
      showOnFailure(t, () => proxy.logs());
      t.after(() => proxy.stop());
      const principal = (target: string) => `${target.replace("@", "/")}@EXAMPLE.TEST`;
      for (const target of allowed) {
        const client = await RawClient.connect(proxy.port);
        await client.authenticate({ target });
        const line = await proxy.waitForLog(
          (each) => each.msg === "authenticated" && each.client === client.address,
        );
        assert.equal(line.acceptor, principal(target));
        client.vanish();
      }
      for (const target of refused) {
        const client = await RawClient.connect(proxy.port);
        await assert.rejects(client.authenticate({ target }), /01ff/);
        const line = await refusal(proxy, client.address, "denied");
        assert.deepEqual(
          [line.code, line.step, line.principal],
          ["TARGET_NOT_ALLOWED", "context establishment", "alice@EXAMPLE.TEST"],
        );
        assert.equal(
          line.reason,
          `the client asked for ${principal(target)}, which is not in gssapi.targetNames`,
        );
        client.close();
      }
    });
  }
});
