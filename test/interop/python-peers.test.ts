// The Python peers against each other: what they do for our server and client is right, and what they do wrong is seen.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import test from "node:test";
import { type AcceptorJob, type InitiatorJob, pythonAcceptor, pythonInitiator } from "../support/python.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

test("python peers", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  await realm.kinit("alice");
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  t.after(() => echo.close());
  const target = ["127.0.0.1", (echo.address() as net.AddressInfo).port] as const;

  async function converse(acceptorJob: AcceptorJob, initiatorJob: Partial<InitiatorJob> = {}) {
    const acceptor = await pythonAcceptor(acceptorJob, { env: realm.env });
    try {
      const job = { proxy: ["127.0.0.1", acceptor.port], target, ...initiatorJob } as const;
      const initiated = await pythonInitiator(job, realm.env);
      return { initiated, accepted: await acceptor.connection() };
    } finally {
      await acceptor.stop();
    }
  }

  for (const level of [0, 1, 2]) {
    for (const nec of [false, true]) {
      await t.test(`level ${level}, ${nec ? "NEC" : "wrapped"}: 200000 octets come back`, async () => {
        const { initiated, accepted } = await converse({ nec }, { level, nec, send: 200_000 });
        assert.equal(initiated.error, undefined);
        assert.equal(initiated.same, true);
        assert.equal(initiated.agreed, level);
        assert.equal(initiated.legs, 2);
        const { initiator, offered, up, down } = accepted;
        assert.deepEqual(
          { initiator, offered, up, down },
          { initiator: "alice@EXAMPLE.TEST", offered: level, up: 200_000, down: 200_000 },
        );
      });
    }
  }

  await t.test(
    "three legs (DCE style) end with an empty token; SPNEGO and one-way authentication work",
    async () => {
      const dce = await converse(
        {},
        { flags: ["mutual", "replay", "sequence", "confidentiality", "integrity", "dce"] },
      );
      assert.deepEqual([dce.initiated.stage, dce.initiated.legs, dce.initiated.same], ["done", 4, true]);
      const spnego = await converse({}, { mech: "spnego" });
      assert.equal(spnego.initiated.same, true);
      const oneWay = await converse({}, { flags: ["confidentiality", "integrity", "replay"] });
      assert.equal(oneWay.initiated.same, true);
    },
  );

  await t.test("another level may be answered than the one offered", async () => {
    const { initiated, accepted } = await converse({ answer: 1 }, { level: 3 });
    assert.deepEqual([initiated.agreed, initiated.same, accepted.offered], [1, true, 3]);
  });

  for (const misbehave of ["request-split", "data-in-request"] as const) {
    await t.test(`initiator: ${misbehave} is allowed`, async () => {
      assert.equal((await converse({}, { misbehave })).initiated.same, true);
    });
  }

  const initiatorFaults = {
    replay: /DuplicateTokenError/,
    swap: /TokenTooEarlyError/,
    tamper: /BadMICError/,
    truncate: /DefectiveToken|InvalidToken|BadMIC/,
    "integrity-only": /conf_state is False under level 2/,
  } as const;
  for (const [misbehave, seen] of Object.entries(initiatorFaults)) {
    await t.test(`initiator: ${misbehave} is seen`, async () => {
      const job = { misbehave: misbehave as keyof typeof initiatorFaults };
      const { initiated, accepted } = await converse({}, job);
      assert.match(accepted.error ?? "", seen);
      assert.notEqual(initiated.same, true);
    });
  }

  await t.test("acceptor: data of the destination in the reply's token is allowed", async () => {
    const { initiated } = await converse({ misbehave: "trailing" }, { misbehave: "data-in-request" });
    assert.equal(initiated.same, true);
  });

  const acceptorFaults = {
    "empty-token": ["context", /empty token/],
    "garbage-token": ["context", /GSSError|Token/],
    "abort-token": ["context", /abort/],
    "abort-level": ["level", /abort/],
    "garbage-data": ["data", /Token|BadMIC/],
    "wrong-conf": ["data", /conf_state is False under level 2/],
    cut: ["data", /closed inside a message/],
  } as const;
  for (const [misbehave, [stage, seen]] of Object.entries(acceptorFaults)) {
    await t.test(`acceptor: ${misbehave} is seen`, async () => {
      const { initiated } = await converse({ misbehave: misbehave as keyof typeof acceptorFaults });
      assert.match(initiated.error ?? "", seen);
      assert.equal(initiated.stage, stage);
    });
  }
});
