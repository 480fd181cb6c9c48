/**
 * What is tested: SPNEGO (RFC 4178) at the server, through to relayed data, at both levels and once per enctype; the log
 * names the mechanism that was negotiated. And a first token as Windows sends it: its own number for Kerberos first, the
 * token of the real one along with it.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Name } from "../../src/gss/name.js";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../../src/gss/oids.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { assertEchoes } from "../support/conversation.js";
import { ENCTYPES } from "../support/enctypes.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

async function start(t: TestContext, enctype: string) {
  const { proxy } = await proxiedRealm(t, {}, { enctypes: [enctype] });
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  return { proxy, origin };
}

for (const enctype of ENCTYPES) {
  test(`SPNEGO, ${enctype}`, async (t) => {
    const { proxy, origin } = await start(t, enctype);
    for (const level of [1, 2] as const) {
      await t.test(`level ${level}`, async () => {
        const client = await RawClient.through(proxy, origin, { level, mechanism: GSS_MECH_SPNEGO });
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

const OID = {
  spnego: "06062b0601050502",
  krb5: "06092a864886f712010202",
  // A Windows of long ago counted to 16 bits; all of them have offered this number first ever since (MS-SPNG 3.1.5.2).
  windows: "06092a864882f712010202",
};

/** DER: tag, length, contents. */
function der(tag: number, ...contents: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(
    contents.map((each) => (typeof each === "string" ? Buffer.from(each, "hex") : each)),
  );
  const length = body.length < 0x80 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

/** The answer's GSS-API token, which it ends with or holds in the middle (a MIC of the list may follow). */
function innerToken(negTokenResp: Buffer): Buffer {
  const at = negTokenResp.indexOf(Buffer.from(OID.krb5, "hex"), negTokenResp.indexOf(0x60));
  assert.ok(at > 0, negTokenResp.toString("hex"));
  const start = negTokenResp.lastIndexOf(0x60, at);
  const length = negTokenResp[start + 1] as number;
  const header = length < 0x80 ? 2 : 2 + (length & 0x7f);
  const body = length < 0x80 ? length : negTokenResp.readUIntBE(start + 2, length & 0x7f);
  return negTokenResp.subarray(start, start + header + body);
}

test("a first token as Windows sends it", async (t) => {
  const { proxy } = await start(t, ENCTYPES[0]);
  const target = Name.import("rcmd@localhost");
  const context = SecurityContext.initiator({ target, mechanism: GSS_MECH_KRB5 });
  const { token } = await context.init(null);
  // RFC 4178 §4.2.1: NegTokenInit with mechTypes [0] and mechToken [2].
  const mechTypes = der(0xa0, der(0x30, OID.windows, OID.krb5));
  const mechToken = der(0xa2, der(0x04, token as Buffer));
  const first = der(0x60, OID.spnego, der(0xa0, der(0x30, mechTypes, mechToken)));

  const client = await RawClient.connect(proxy.port);
  await client.selectMethod();
  client.send(encodeGssapiMessage(MTYP.AUTHENTICATION, first));
  const answer = await client.message(MTYP.AUTHENTICATION);
  // Accept-completed, at once.
  assert.ok(answer.includes(Buffer.from("a0030a0100", "hex")), answer.toString("hex"));
  assert.equal((await context.init(innerToken(answer))).complete, true);
  const { principal, mechanism } = await proxy.waitForLog(({ msg }) => msg === "authenticated");
  assert.deepEqual([principal, mechanism], ["alice@EXAMPLE.TEST", "krb5"]);
  client.send(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, context.wrap(Buffer.of(2), false)));
  assert.deepEqual([...context.unwrap(await client.message(MTYP.PROTECTION_LEVEL)).message], [2]);
  client.close();
  context.close();
  target.close();
});
