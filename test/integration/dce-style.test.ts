/**
 * What is tested: krb5 in DCE style (GSS_C_DCE_STYLE), three tokens, the acceptor finishing without output: our last
 * message of type 1 is an empty one (RFC 1961 §3.6), and sealed data goes through, at both levels, once per enctype.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_INITIATOR_FLAGS, GSS_C_DCE_STYLE } from "../../src/gss/flags.js";
import { assertEchoes } from "../support/conversation.js";
import { ENCTYPES } from "../support/enctypes.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

for (const enctype of ENCTYPES) {
  test(`DCE style, ${enctype}`, async (t) => {
    const { proxy } = await proxiedRealm(t, {}, { enctypes: [enctype] });
    const origin = await Origin.start(echo);
    t.after(() => origin.stop());
    for (const level of [1, 2] as const) {
      await t.test(`level ${level}`, async () => {
        const client = await RawClient.connect(proxy.port);
        const answers = await client.authenticate({ flags: DEFAULT_INITIATOR_FLAGS | GSS_C_DCE_STYLE });
        assert.deepEqual([answers.length, answers[0]?.length !== 0, answers[1]?.length], [2, true, 0]);
        assert.equal(await client.negotiate(level), level);
        assert.equal(await client.request("127.0.0.1", origin.port, level === 2), 0);
        await assertEchoes(client, level === 2);
        client.socket.end();
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual(
          [record.outcome, record.principal, record.mechanism],
          ["completed", "alice@EXAMPLE.TEST", "krb5"],
        );
        client.close();
      });
    }
  });
}
