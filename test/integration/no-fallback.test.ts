/**
 * What is tested: a method that was selected and failed is the end of the connection, never the way to another one, at a
 * listener that takes gssapi, password and none. A GSS-API exchange fails at each of its steps, with the next method's
 * messages sent behind it: the client gets 01 ff and an end, nothing is dialed, nobody is named.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { Name } from "../../src/gss/name.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { Origin } from "../support/origin.js";
import { run, runToEnd } from "../support/processes.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";
import { refusal } from "../support/refusal.js";

/** METHODs 0x00, 0x01 and 0x02. */
const OFFER = Buffer.from("0503000102", "hex");
const CREDENTIALS = Buffer.from("\x01\x05alice\x0ealice-password");

test("a failed exchange never turns into another method", async (t) => {
  const { realm, proxy } = await proxiedRealm(t, async ({ dir }) => {
    const users = path.join(dir, "users");
    await run("htpasswd", ["-cbB", users, "alice", "alice-password"]);
    return {
      listeners: [
        { address: "127.0.0.1:0", methods: ["gssapi", "password", "none"] },
        { address: "127.0.0.1:0", methods: ["password", "none"] },
      ],
      passwords: { file: users },
      gssapi: { targetNames: ["rcmd@localhost"] },
    };
  });
  await realm.addPrincipal("rcmd/elsewhere.example.test");
  const origin = await Origin.start((socket) => socket.end());
  t.after(() => origin.stop());
  const request = Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, origin.port >> 8, origin.port & 0xff]);
  const again = Buffer.concat([Buffer.from([5, 1, 0]), request]);

  /** An initiator's first token, without the 4 octets before it. */
  async function token(target: string): Promise<Buffer> {
    const name = Name.import(target);
    const context = SecurityContext.initiator({ target: name });
    try {
      return (await context.init(null)).token as Buffer;
    } finally {
      context.close();
      name.close();
    }
  }

  async function selected(port: number, method: number): Promise<RawClient> {
    const client = await RawClient.connect(port);
    t.after(() => client.close());
    client.send(OFFER);
    assert.equal((await client.read(2)).toString("hex"), `050${method}`);
    return client;
  }

  async function assertOver(client: RawClient, farewell: string): Promise<void> {
    const { octets, how } = await client.farewell();
    assert.deepEqual([octets.toString("hex"), how], [farewell, "end"]);
    const record = await proxy.audit((each) => each.client === client.address);
    assert.deepEqual(
      [record.command, record.destination, record.bytesUp, record.bytesDown],
      [null, null, 0, 0],
    );
    assert.equal(record.method, null);
  }

  const wrong = [
    ["a token that is none", async () => encodeGssapiMessage(1, Buffer.from("not a token"))],
    [
      "a token for a key we do not have",
      async () => encodeGssapiMessage(1, await token("rcmd@elsewhere.example.test")),
    ],
    [
      "a token for a name that is not allowed",
      async () => encodeGssapiMessage(1, await token("socks@localhost")),
    ],
    ["the client's own abort", async () => Buffer.from("01ff", "hex")],
    ["no exchange at all", async () => Buffer.alloc(0)],
  ] as const;
  for (const [what, begin] of wrong) {
    for (const [next, octets] of [
      ["a request in clear", request],
      ["a method selection and a request", again],
      ["a user and a password", CREDENTIALS],
    ] as const) {
      await t.test(`${what}, then ${next}`, async () => {
        const client = await selected(proxy.port, 1);
        client.send(await begin(), octets);
        await assertOver(client, "01ff");
      });
    }
  }

  await t.test("a client that goes on after 01 ff is not heard", async () => {
    const client = await selected(proxy.port, 1);
    client.send(await wrong[0][1]());
    assert.equal((await client.read(2)).toString("hex"), "01ff");
    client.send(again);
    await assertOver(client, "");
    const line = await refusal(proxy, client.address);
    assert.equal(line.step, "context establishment");
  });

  await t.test("a context that is complete, then a request in clear", async () => {
    const client = await selected(proxy.port, 1);
    await client.establish();
    client.send(request);
    const { octets } = await client.farewell();
    assert.equal(octets.toString("hex"), "01ff");
    const record = await proxy.audit((each) => each.client === client.address);
    assert.deepEqual(
      [record.principal, record.command, record.outcome],
      ["alice@EXAMPLE.TEST", null, "failed"],
    );
  });

  await t.test("a wrong password, then no method", async () => {
    const client = await selected(proxy.ports[1] as number, 2);
    client.send(Buffer.from("\x01\x05alice\x05wrong"), request, again);
    await assertOver(client, "0101");
    assert.equal((await refusal(proxy, client.address, "denied")).code, "BAD_PASSWORD");
  });

  await t.test("no method in common, then another offer", async () => {
    const client = await RawClient.connect(proxy.port);
    t.after(() => client.close());
    client.send(0x05, 0x01, 0x80, again);
    await assertOver(client, "05ff");
  });

  await t.test("curl without a ticket, which offers all three", async () => {
    const isNew = proxy.later();
    const url = [
      "-x",
      `socks5://alice:alice-password@127.0.0.1:${proxy.port}`,
      `http://127.0.0.1:${origin.port}/`,
    ];
    const env = { ...realm.env, KRB5CCNAME: `FILE:${path.join(realm.dir, "no-ccache")}` };
    const { code, stdout } = await runToEnd("curl", ["-q", "-sS", "--noproxy", "", ...url], { env });
    assert.deepEqual([code, stdout], [97, ""]);
    const { client, offered, selected } = await proxy.waitForLog(
      (line) => isNew(line) && line.msg === "method selected",
    );
    assert.deepEqual([offered, selected], [[0, 1, 2], 1]);
    const record = await proxy.audit((each) => each.client === client);
    assert.deepEqual([record.principal, record.method, record.command], [null, null, null]);
  });

  assert.equal(origin.sockets.length, 0, "nothing was dialed");
});
