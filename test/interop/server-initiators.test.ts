/**
 * Initiators that others wrote against our server: python3-gssapi (all levels, NEC mode, one-way, three legs, SPNEGO)
 * through to the data, npm's kerberos (krb5, SPNEGO) up to the level message.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { kerberosNpmInitiator } from "../support/kerberos-npm.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { type InitiatorJob, type InitiatorResult, pythonInitiator } from "../support/python.js";
import { RawClient } from "../support/raw-client.js";

const SENT = 200_000;

test("python3-gssapi as the initiator", async (t) => {
  const listeners = [
    { address: "127.0.0.1:0" },
    {
      address: "127.0.0.1:0",
      gssapi: { protectionLevels: ["none", "integrity", "confidentiality"], nec: true },
    },
  ];
  const { realm, proxy } = await proxiedRealm(t, { listeners });
  const [strict, lenient] = proxy.ports as [number, number];
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());

  function converse(port: number, job: Partial<InitiatorJob>): Promise<InitiatorResult> {
    const target = ["localhost", origin.port] as const;
    return pythonInitiator({ proxy: ["127.0.0.1", port], target, send: SENT, ...job }, realm.env);
  }

  async function assertThrough(
    port: number,
    job: Partial<InitiatorJob>,
    agreed: number,
    legs = 2,
  ): Promise<void> {
    const result = await converse(port, job);
    assert.deepEqual(
      {
        error: result.error,
        stage: result.stage,
        agreed: result.agreed,
        legs: result.legs,
        same: result.same,
      },
      { error: undefined, stage: "done", agreed, legs, same: true },
    );
    assert.equal(result.echoed, SENT);
  }

  const negotiated: readonly [port: number, offered: number, agreed: number][] = [
    [strict, 1, 1],
    [strict, 2, 2],
    [strict, 3, 2],
    [lenient, 0, 0],
    [lenient, 1, 1],
    [lenient, 2, 2],
    [lenient, 3, 2],
  ];
  for (const [port, level, agreed] of negotiated) {
    const where = port === strict ? "[confidentiality, integrity]" : "[none, integrity, confidentiality]";
    await t.test(`level ${level} at ${where}`, () => assertThrough(port, { level }, agreed));
  }
  for (const level of [0, 1, 2]) {
    await t.test(`level ${level} in NEC mode`, () => assertThrough(lenient, { level, nec: true }, level));
  }
  await t.test("level 0 where none is not allowed: a counter-offer", () =>
    assertThrough(strict, { level: 0 }, 2),
  );

  await t.test("NEC mode where it is not allowed", async () => {
    const result = await converse(strict, { nec: true });
    assert.deepEqual([result.stage, result.error], ["level", "PeerError: abort"]);
    const line = await proxy.waitForLog(({ code }) => code === "NEC_NOT_ALLOWED");
    assert.equal(line.principal, "alice@EXAMPLE.TEST");
  });

  const flags = ["replay", "sequence", "confidentiality", "integrity"] as const;
  await t.test("three tokens (DCE style): the last message of ours is an empty one", () =>
    assertThrough(strict, { flags: ["mutual", ...flags, "dce"] }, 2, 4),
  );
  await t.test("without mutual authentication: our only token is an empty one", () =>
    assertThrough(strict, { flags }, 2),
  );
  await t.test("SPNEGO", async () => {
    const result = await converse(strict, { mech: "spnego" });
    assert.deepEqual([result.error, result.agreed, result.same], [undefined, 2, true]);
  });
  await t.test("another service name", () => assertThrough(strict, { service: "socks@localhost" }, 2));
  await t.test("the request in two tokens", () => assertThrough(strict, { misbehave: "request-split" }, 2));
  await t.test("data behind the request", () => assertThrough(strict, { misbehave: "data-in-request" }, 2));
});

test("npm kerberos as the initiator", async (t) => {
  const { proxy } = await proxiedRealm(t);
  for (const mechanism of ["krb5", "spnego"] as const) {
    await t.test(mechanism, async (t) => {
      const client = await RawClient.connect(proxy.port);
      t.after(() => client.vanish());
      await client.selectMethod();
      const initiator = await kerberosNpmInitiator("rcmd@localhost", mechanism);
      let token = await initiator.step();
      while (!initiator.complete() || token.length > 0) {
        // ver | mtyp | len | token (RFC 1961 §3.3)
        client.send(0x01, 0x01, token.length >> 8, token.length & 0xff, token);
        token = await initiator.step(await client.message(0x01));
      }
      const { acceptor } = await proxy.waitForLog(
        (line) => line.msg === "authenticated" && line.client === client.address,
      );
      assert.equal(acceptor, "rcmd/localhost@EXAMPLE.TEST");
      // It is the level's turn: whoever sends that bare is told so.
      client.send(0x01, 0x02, 0x00, 0x01, 0x02);
      assert.equal((await client.farewell()).octets.toString("hex"), "01ff");
      const failed = await proxy.waitForLog(
        (line) => line.msg === "session failed" && line.client === client.address,
      );
      assert.deepEqual(
        [failed.code, failed.step, failed.principal],
        ["NEC_NOT_ALLOWED", "protection level negotiation", "alice@EXAMPLE.TEST"],
      );
    });
  }
});
