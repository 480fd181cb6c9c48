/**
 * Our client (`gssocks connect`) against an acceptor that others wrote, python3-gssapi: all levels, NEC mode, levels the
 * client did not ask for, the flags it asks for, and misbehaviour at every step, each told by its cause.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client/socks-client.js";
import {
  DEFAULT_INITIATOR_FLAGS,
  GSS_C_DELEG_FLAG,
  GSS_C_PROT_READY_FLAG,
  GSS_C_TRANS_FLAG,
} from "../../src/gss/flags.js";
import { gssocks } from "../support/gssocks.js";
import { echo, Origin } from "../support/origin.js";
import type { Finished } from "../support/processes.js";
import { type AcceptedConnection, type AcceptorJob, pythonAcceptor } from "../support/python.js";
import { Realm } from "../support/realm.js";
import { showOnFailure } from "../support/show-on-failure.js";

/** What Kerberos says of every context, asked or not. */
const GIVEN_FLAGS = GSS_C_PROT_READY_FLAG | GSS_C_TRANS_FLAG;

test("python3-gssapi as the acceptor", async (t) => {
  const realm = await Realm.start();
  showOnFailure(t, () => realm.logs());
  t.after(() => realm.stop());
  // Forwardable, so that the ticket could be delegated.
  realm.enter(await realm.kinit("alice", { args: ["-f"] }));
  const origin = await Origin.start(echo);
  t.after(() => origin.stop());
  const input = "0123456789".repeat(20_000);

  async function converse(
    job: AcceptorJob,
    { options = [], destination = origin }: { options?: string[]; destination?: Origin } = {},
  ): Promise<{ client: Finished; accepted: AcceptedConnection }> {
    const acceptor = await pythonAcceptor(job, { env: realm.env });
    try {
      const args = [
        "connect",
        "127.0.0.1",
        String(destination.port),
        "--proxy",
        `localhost:${acceptor.port}`,
        ...options,
      ];
      const client = await gssocks(args, { env: realm.env, input });
      return { client, accepted: await acceptor.connection() };
    } finally {
      await acceptor.stop();
    }
  }

  const levels: readonly [options: string, offered: number, answer?: number][] = [
    ["--level confidentiality", 2],
    ["--level integrity", 1],
    ["--level none", 0],
    ["--level confidentiality --nec", 2],
    ["--level integrity --nec", 1],
    ["--level none --nec", 0],
    ["--level confidentiality,integrity", 2, 1],
    ["--level integrity,confidentiality", 1, 2],
    ["--level confidentiality,integrity,none", 2, 0],
  ];
  for (const [options, offered, answer] of levels) {
    await t.test(`${options}, answered ${answer ?? "the same"}`, async () => {
      const job: AcceptorJob = {
        nec: options.includes("--nec"),
        ...(answer === undefined ? {} : { answer }),
      };
      const { client, accepted } = await converse(job, { options: options.split(" ") });
      assert.deepEqual([client.code, client.stderr], [0, ""]);
      assert.ok(client.stdout === input);
      assert.deepEqual(accepted, {
        ended: 0,
        initiator: "alice@EXAMPLE.TEST",
        flags: DEFAULT_INITIATOR_FLAGS | GIVEN_FLAGS,
        offered,
        agreed: answer ?? offered,
        target: ["127.0.0.1", origin.port],
        up: input.length,
        down: input.length,
      });
    });
  }

  await t.test("the ticket is delegated only when that is asked for", async (t) => {
    const acceptor = await pythonAcceptor({}, { env: realm.env, test: t });
    for (const [index, delegate] of [false, true].entries()) {
      const proxy = { host: "localhost", port: acceptor.port };
      const stream = await connect({
        proxy,
        destination: { host: "127.0.0.1", port: origin.port },
        delegate,
      });
      await stream.end().toArray();
      const { flags = 0 } = await acceptor.connection(index);
      assert.equal((flags & GSS_C_DELEG_FLAG) !== 0, delegate);
    }
  });

  await t.test("a destination's data in the reply's token is kept", async (t) => {
    const greeting = "220 ready\r\n";
    const greeter = await Origin.start((socket) => {
      socket.write(greeting);
      echo(socket);
    });
    t.after(() => greeter.stop());
    const { client } = await converse({ misbehave: "trailing" }, { destination: greeter });
    assert.equal(client.code, 0, client.stderr);
    assert.ok(client.stdout === greeting + input);
  });

  const refusals: readonly [what: string, job: AcceptorJob, options: string[], says: RegExp][] = [
    [
      "a weaker level than any we accept",
      { answer: 1 },
      [],
      /answered with protection level integrity, we accept only confidentiality/,
    ],
    [
      "no protection",
      { answer: 0 },
      ["--level", "confidentiality,integrity"],
      /answered with protection level none/,
    ],
    ["level selective", { answer: 3 }, [], /answered with protection level selective/],
    [
      "a level that does not exist",
      { answer: 7 },
      [],
      /the level token holds 07, expected one octet from 0 to 3/,
    ],
    ["an abort in answer to our token", { misbehave: "abort-token" }, [], /refused our ticket \(01 ff\)/],
    [
      "an abort in answer to our level",
      { misbehave: "abort-level" },
      [],
      /refused protection level confidentiality \(01 ff\)/,
    ],
    [
      "garbage for a token",
      { misbehave: "garbage-token" },
      [],
      /gss_init_sec_context: the peer's token is damaged/,
    ],
    ["no proof of who it is", { misbehave: "empty-token" }, [], /did not prove who it is|token/],
    ["garbage for data", { misbehave: "garbage-data" }, [], /a token could not be opened: .*damaged/],
    [
      "data with integrity only at level confidentiality",
      { misbehave: "wrong-conf" },
      [],
      /an integrity-only token under level confidentiality/,
    ],
    ["an end inside a token", { misbehave: "cut" }, [], /the stream ended inside a token/],
  ];
  for (const [what, job, options, says] of refusals) {
    await t.test(what, async () => {
      const { client } = await converse(job, { options });
      assert.equal(client.code, 1);
      assert.match(client.stderr, says);
      assert.match(client.stderr, /^gssocks: [^\n]+\n$/);
      assert.equal(client.stdout, "", "nothing that is not proven reaches the output");
    });
  }
});
