/**
 * What is tested: METHOD 0x02 of `gssocks serve` with passwords that the KDC judges, beside tickets on the same listener:
 * who gets in as which principal, who does not, a KDC that is down, curl; and that no password is in the output.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { echo, Origin } from "../support/origin.js";
import {
  assertKeptOut,
  assertLetIn,
  assertSilent,
  curlWithPassword,
  type KeptOut,
} from "../support/password-client.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const WRONG = (name: string): KeptOut => ({
  code: "BAD_PASSWORD",
  reason: new RegExp(`^"${name}": wrong name or password$`),
});

test("passwords of a realm", async (t) => {
  const { proxy, realm } = await proxiedRealm(
    t,
    { listeners: [{ address: "127.0.0.1:0", methods: ["gssapi", "password"] }], passwords: { kerberos: {} } },
    { principals: { carol: "carol-pässword" } },
  );
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const alice = { name: "alice", password: "alice-password" };

  await t.test("the right password, with the realm or without", async () => {
    await assertLetIn(proxy, origin, alice, "alice@EXAMPLE.TEST");
    await assertLetIn(proxy, origin, { ...alice, name: "alice@EXAMPLE.TEST" });
    await assertLetIn(proxy, origin, { name: "carol", password: "carol-pässword" }, "carol@EXAMPLE.TEST");
  });

  await t.test("wrong passwords and unknown users", async () => {
    const attempts: [name: string, password: string][] = [
      ["alice", "bob-password"],
      ["bob", "guess-4417"],
      ["mallory", "alice-password"],
      ["alice@OTHER.TEST", "alice-password"],
    ];
    await Promise.all(
      attempts.map(([name, password]) => assertKeptOut(proxy, { name, password }, WRONG(name))),
    );
  });

  await t.test("an account that is locked: the log has the reason, the client has not", async () => {
    await realm.kadmin(["modprinc -allow_tix carol"]);
    const attempted = { name: "carol", password: "carol-pässword" };
    const reason = /^"carol": the account is locked or has expired$/;
    await assertKeptOut(proxy, attempted, { code: "BAD_PASSWORD", reason });
  });

  await t.test("a ticket on the same listener", async () => {
    const client = await RawClient.through(proxy, origin);
    client.socket.end();
    const { method, principal } = await proxy.audit((each) => each.client === client.address);
    assert.deepEqual([method, principal], ["gssapi", "alice@EXAMPLE.TEST"]);
    client.close();
  });

  await t.test("curl", () => curlWithPassword(t, proxy, alice.name, alice.password));

  await t.test("a KDC that is down is no wrong password", async () => {
    await realm.stopKdc();
    await assertKeptOut(proxy, alice, { code: "KDC_UNREACHABLE", reason: /KDC/, outcome: "failed" });
  });

  await t.test("nothing of it is in the output", () => {
    assertSilent(proxy, ["alice-password", "bob-password", "carol-pässword", "guess-4417"]);
    assert.match(proxy.logs(), /"mallory/i, "the search finds what is there");
  });
});
