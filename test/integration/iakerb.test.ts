/**
 * What is tested: IAKERB, a client with a password that reaches no KDC: the server carries its messages to the KDC,
 * over six tokens or more, and sealed data goes through, at both levels, once per enctype. A wrong password is
 * refused at the client's end. While the KDC is silent, clients with tickets get in all the same.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { GSS_MECH_IAKERB } from "../../src/gss/oids.js";
import { assertEchoes } from "../support/conversation.js";
import { deferred } from "../support/deferred.js";
import { ENCTYPES } from "../support/enctypes.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { refusal } from "../support/refusal.js";

const CONFIG = { gssapi: { mechanisms: ["iakerb", "krb5"] } };
const IAKERB = { mechanism: GSS_MECH_IAKERB };

const passwordOf = (principal: string, password = `${principal}-password`) =>
  Credential.initiator({ principal, password, mechanisms: [GSS_MECH_IAKERB] });

for (const enctype of ENCTYPES) {
  test(`IAKERB, ${enctype}`, async (t) => {
    const { proxy } = await proxiedRealm(t, CONFIG, { enctypes: [enctype] });
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    for (const level of [1, 2] as const) {
      await t.test(`level ${level}`, async () => {
        const credential = await passwordOf("bob");
        const client = await RawClient.connect(proxy.port);
        const answers = await client.authenticate({ ...IAKERB, credential });
        assert.ok(answers.length >= 3, `${answers.length} answers`);
        assert.equal(await client.negotiate(level), level);
        assert.equal(await client.request("127.0.0.1", origin.port, level === 2), 0);
        await assertEchoes(client, level === 2);
        client.socket.end();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual(
          [record.outcome, record.principal, record.mechanism],
          ["completed", "bob@EXAMPLE.TEST", "iakerb"],
        );
        client.close();
        credential.close();
      });
    }
  });
}

test("IAKERB that fails", async (t) => {
  const { realm, proxy } = await proxiedRealm(t, CONFIG);
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  await t.test("a wrong password", async () => {
    const credential = await passwordOf("bob", "wrong");
    const client = await RawClient.connect(proxy.port);
    await assert.rejects(client.authenticate({ ...IAKERB, credential }), { code: "PASSWORD_WRONG" });
    client.close();
    credential.close();
  });

  await t.test("no KDC", async () => {
    const credential = await passwordOf("bob");
    (await RawClient.through(proxy, origin)).close();
    await realm.stopKdc();
    const client = await RawClient.connect(proxy.port);
    await assert.rejects(client.authenticate({ ...IAKERB, credential }), /01ff/);
    const { code, step, reason } = await refusal(proxy, client.address);
    assert.deepEqual([code, step], ["KDC_UNREACHABLE", "context establishment"], String(reason));
    client.close();
    credential.close();
  });

  await t.test("a silent KDC holds up nobody who has a ticket", async (t) => {
    const asked = deferred<void>();
    const silent = await Origin.start(() => asked.resolve(), "127.0.0.1", realm.kdcPort);
    t.after(() => silent.stop());
    const credentials = await Promise.all([1, 2, 3, 4].map(() => passwordOf("bob")));
    const stuck = await Promise.all(credentials.map(() => RawClient.connect(proxy.port)));
    const ends = stuck.map((client, index) =>
      client.authenticate({ ...IAKERB, credential: credentials[index] }).catch((error: Error) => error),
    );
    for (const { address } of stuck)
      await proxy.waitForLog(({ msg, client }) => msg === "method selected" && client === address);
    await asked.promise;
    const first = await Promise.race([RawClient.through(proxy, origin), ...ends]);
    assert.ok(first instanceof RawClient, "the client with a ticket came first");
    await assertEchoes(first);
    first.close();
    for (const client of stuck) client.vanish();
    await Promise.all(ends);
    for (const credential of credentials) credential.close();
  });
});
