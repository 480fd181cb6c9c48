/**
 * What is tested: gssapi.mechanisms is an allow-list. For each list, clients of krb5, SPNEGO and IAKERB: who gets in
 * does so under the mechanism that the log names, who does not is refused with a log line and an audit record that name
 * the mechanism it used.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { GSS_MECH_IAKERB, parseMechanism } from "../../src/gss/oids.js";
import { ProxyServer } from "../support/proxy.js";
import { type ContextOptions, RawClient } from "../support/raw-client.js";
import { Realm } from "../support/realm.js";
import { refusal } from "../support/refusal.js";
import { showOnFailure } from "../support/show-on-failure.js";

type Client = "krb5" | "spnego" | "iakerb";

/** What the log says of each client: the mechanism it is in with, or why it is not. */
const LISTS: readonly [list: readonly string[], of: Readonly<Record<Client, string | RegExp>>][] = [
  [
    ["krb5"],
    { krb5: "krb5", spnego: /uses the mechanism spnego, which/, iakerb: /uses the mechanism iakerb, which/ },
  ],
  [["krb5", "spnego"], { krb5: "krb5", spnego: "krb5", iakerb: /uses the mechanism iakerb, which/ }],
  [
    ["iakerb"],
    { krb5: /uses the mechanism krb5, which/, spnego: /uses the mechanism spnego, which/, iakerb: "iakerb" },
  ],
  [
    ["spnego", "iakerb"],
    {
      krb5: /uses the mechanism krb5, which/,
      spnego: /offers only mechanisms inside SPNEGO, which/,
      iakerb: "iakerb",
    },
  ],
  // By OID: Kerberos under the number that Windows gave it once, which is a mechanism of its own to the library.
  [
    ["1.2.840.48018.1.2.2"],
    {
      krb5: /uses the mechanism krb5, which/,
      spnego: /the mechanism spnego, which/,
      iakerb: /the mechanism iakerb, which/,
    },
  ],
];

const passwordOfBob = () =>
  Credential.initiator({ principal: "bob", password: "bob-password", mechanisms: [GSS_MECH_IAKERB] });

test("gssapi.mechanisms is an allow-list", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  realm.enter(await realm.kinit("alice"));
  for (const [mechanisms, of] of LISTS) {
    await t.test(`[${mechanisms.join(", ")}]`, async (t) => {
      const proxy = await ProxyServer.start(realm, { gssapi: { mechanisms } });
      showOnFailure(t, () => proxy.logs());
      t.after(() => proxy.stop());
      for (const [mechanism, expected] of Object.entries(of)) {
        const options: ContextOptions = { mechanism: parseMechanism(mechanism) };
        if (mechanism === "iakerb") options.credential = await passwordOfBob();
        const client = await RawClient.connect(proxy.port);
        if (typeof expected === "string") {
          await client.authenticate(options);
          const line = await proxy.waitForLog(
            (each) => each.msg === "authenticated" && each.client === client.address,
          );
          assert.equal(line.mechanism, expected);
        } else {
          await assert.rejects(client.authenticate(options), /01ff/);
          const { code, step, principal, reason } = await refusal(proxy, client.address);
          assert.deepEqual(
            [code, step, principal],
            ["MECHANISM_NOT_ACCEPTED", "context establishment", null],
          );
          assert.match(String(reason), expected);
        }
        client.vanish();
        options.credential?.close();
      }
    });
  }
});
