/**
 * What is tested: protection level negotiation (RFC 1961 §4) over a real KDC, once per enctype. Each level a client may
 * offer against what a listener allows: agreed, counter-offered, 3 becoming 2 or 1, none and NEC mode only where they
 * are configured; what is agreed is what the data is under, and what the log and the audit record say.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { ENCTYPES } from "../support/enctypes.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { connectRequest, RawClient } from "../support/raw-client.js";

const NAMES = ["none", "integrity", "confidentiality", "selective"];

/** What each listener allows, and what it answers to the offers 0, 1, 2, 3. */
const LISTENERS = [
  { levels: ["confidentiality", "integrity"], answers: [2, 1, 2, 2] },
  { levels: ["integrity", "confidentiality"], answers: [1, 1, 2, 2] },
  { levels: ["integrity"], answers: [1, 1, 1, 1] },
  { levels: ["confidentiality", "integrity", "none"], answers: [0, 1, 2, 2] },
  { levels: ["none"], answers: [0, 0, 0, 0] },
  { levels: ["confidentiality"], nec: true, answers: [2, 2, 2, 2] },
];

async function start(context: TestContext, enctype: string) {
  const listeners = LISTENERS.map(({ levels, nec = false }) => ({
    address: "127.0.0.1:0",
    gssapi: { protectionLevels: levels, nec },
  }));
  // The common setting, which each listener overrides, would refuse most of this.
  const config = { listeners, gssapi: { protectionLevels: ["confidentiality"] } };
  const { proxy } = await proxiedRealm(context, config, { enctypes: [enctype] });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  const connect = async (listener: number) => {
    const client = await RawClient.connect(proxy.ports[listener] as number);
    context.after(() => client.close());
    await client.authenticate();
    return client;
  };
  return { proxy, origin, connect };
}

for (const enctype of ENCTYPES) {
  test(`protection levels, ${enctype}`, async (context) => {
    const { proxy, origin, connect } = await start(context, enctype);

    for (const [listener, { levels, nec = false, answers }] of LISTENERS.entries()) {
      for (const [offer, answer] of answers.entries()) {
        const name = `[${levels}]${nec ? ", NEC" : ""}: ${NAMES[offer]} offered, ${NAMES[answer]} answered`;
        await context.test(name, async () => {
          const client = await connect(listener);
          assert.equal(await client.negotiate(offer, nec), answer);
          const hello = Buffer.from(`hello at ${name}`);
          const request = connectRequest("127.0.0.1", origin.port);
          if (answer === 0) {
            client.send(request);
            assert.deepEqual([...(await client.read(4))], [0x05, 0x00, 0x00, 0x01]);
            await client.read(6);
            client.send(hello);
            assert.deepEqual(await client.read(hello.length), hello);
          } else {
            const conf = answer === 2;
            assert.equal(await client.request("127.0.0.1", origin.port, conf), 0x00);
            client.send(client.seal(hello, conf));
            assert.deepEqual(await client.openOctets(hello.length, conf), hello);
          }
          client.socket.end();
          const record = await proxy.audit((each) => each.client === client.address);
          assert.equal(record.level, NAMES[answer]);
          assert.equal(record.outcome, "completed", String(record.reason));
        });
      }
    }

    await context.test("confidential tokens are fine under level integrity", async () => {
      const client = await connect(2);
      assert.equal(await client.negotiate(1), 1);
      client.send(client.seal(connectRequest("127.0.0.1", origin.port), true));
      assert.equal((await client.open(false))[1], 0x00);
    });

    await context.test("a sealed request under level none is told apart and refused", async () => {
      const client = await connect(4);
      assert.equal(await client.negotiate(2), 0);
      client.send(client.seal(connectRequest("127.0.0.1", origin.port)));
      const { octets } = await client.farewell();
      assert.deepEqual([...octets.subarray(0, 2)], [0x05, 0x01]);
      const line = await proxy.waitForLog(
        (each) => each.client === client.address && each.msg === "session failed",
      );
      assert.equal(line.code, "SEALED_AT_LEVEL_NONE");
      assert.match(String(line.reason), /level none was agreed, but the client seals its request/);
    });

    await context.test("a bare level where NEC mode is not configured is refused", async () => {
      const client = await connect(0);
      client.sendLevel(2, true);
      assert.deepEqual((await client.farewell()).octets, Buffer.from([0x01, 0xff]));
      const { code } = await proxy.audit((each) => each.client === client.address);
      assert.equal(code, "NEC_NOT_ALLOWED");
    });

    await context.test("a wrapped level at a NEC listener is answered wrapped", async () => {
      const client = await connect(5);
      assert.equal(await client.negotiate(2), 2);
    });

    for (const [what, octets] of [
      ["unassigned", [0x04]],
      ["of two octets", [0x02, 0x02]],
      ["of no octet", []],
    ] as const) {
      await context.test(`a level ${what} is refused`, async () => {
        const client = await connect(3);
        const token = client.context.wrap(Buffer.from(octets), false);
        client.send(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, token));
        assert.deepEqual((await client.farewell()).octets, Buffer.from([0x01, 0xff]));
        assert.equal((await proxy.audit((each) => each.client === client.address)).code, "BAD_LEVEL");
      });
    }

    await context.test("a level sealed with confidentiality is accepted", async () => {
      const client = await connect(0);
      client.send(encodeGssapiMessage(MTYP.PROTECTION_LEVEL, client.context.wrap(Buffer.from([0x01]), true)));
      const answer = client.context.unwrap(await client.message(MTYP.PROTECTION_LEVEL));
      assert.deepEqual({ octets: [...answer.message], conf: answer.confState }, { octets: [1], conf: false });
    });

    await context.test("a level token with a gap before it is refused", async () => {
      const client = await connect(0);
      client.context.wrap(Buffer.from([0x02]), false);
      client.sendLevel(1);
      assert.deepEqual((await client.farewell()).octets, Buffer.from([0x01, 0xff]));
      assert.equal((await proxy.audit((each) => each.client === client.address)).code, "MISSING_TOKEN");
    });
  });
}
