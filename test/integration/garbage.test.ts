/**
 * What is tested: what a server process makes of garbage in each state of the protocol, chosen and at random: the client
 * is told what RFC 1928 and RFC 1961 have for it (nothing, 05 ff, 01 ff, a sealed reply, a reset), the log has one line
 * with step and code, the next client is served; and 500 such clients leave neither a session nor a descriptor behind.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { Credential } from "../../src/gss/credential.js";
import { Name } from "../../src/gss/name.js";
import { GSS_MECH_IAKERB } from "../../src/gss/oids.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { CMD, MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { descriptors, until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { connectRequest, RawClient } from "../support/raw-client.js";

type State = "method" | "token" | "level" | "request" | "relay";

const STEPS: Readonly<Record<State, string>> = {
  method: "method selection",
  token: "context establishment",
  level: "protection level negotiation",
  request: "request",
  relay: "relay",
};

async function reach(state: State, proxy: ProxyServer, origin: Origin): Promise<RawClient> {
  if (state === "relay") return RawClient.through(proxy, origin);
  const client = await RawClient.connect(proxy.port);
  if (state === "token") await client.selectMethod();
  if (state === "level" || state === "request") await client.authenticate();
  if (state === "request") assert.equal(await client.negotiate(2), 2);
  return client;
}

async function start(context: TestContext, gssapi: Record<string, unknown> = {}) {
  const { proxy } = await proxiedRealm(context, { gssapi, timeouts: { drain: "0s" } });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  return { proxy, origin };
}

/** All that the proxy says, in hex: `sealed` and the plain octets where it is under the level, then how it closes. */
async function lastWords(client: RawClient, state: State): Promise<string> {
  const { octets, how } = await client.farewell();
  if (state !== "request") return `${octets.toString("hex")} ${how}`.trim();
  const plain = await client.open();
  assert.equal((await client.farewell()).octets.length, 0, "nothing behind the reply");
  return `sealed ${plain.toString("hex")} ${how}`;
}

async function assertServes(proxy: ProxyServer, origin: Origin): Promise<void> {
  const client = await RawClient.through(proxy, origin);
  client.send(client.seal(Buffer.from("hello")));
  assert.equal((await client.open()).toString(), "hello");
  client.socket.end();
  assert.equal((await proxy.audit((each) => each.client === client.address)).outcome, "completed");
  client.close();
}

// --- chosen -------------------------------------------------------------------------------------------------------------

const NOTHING = "end";
const NO_METHOD = "05ff end";
const ABORT = "01ff end";
const RESET = "reset";
const reply = (rep: string) => `sealed 05${rep}0001000000000000 end`;

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
const LONGEST = Buffer.alloc(0xffff, 0x5a);

interface Garbage {
  state: State;
  name: string;
  /** What the client sends. */
  octets: Buffer | ((client: RawClient) => Buffer);
  /** Whether it then half-closes. */
  ends?: boolean;
  words: string | RegExp;
  code: string;
}

/** Begun, and never finished. */
const begun = (mtyp: number) => Buffer.concat([Buffer.of(0x01, mtyp, 0xff, 0xff), LONGEST.subarray(0, 3000)]);
const request = (cmd: number, rest: Buffer) => Buffer.concat([Buffer.of(0x05, cmd, 0x00), rest]);

const CHOSEN: Garbage[] = [
  { state: "method", name: "an end", octets: hex(""), ends: true, words: NOTHING, code: "CLOSED_EARLY" },
  { state: "method", name: "zeros", octets: Buffer.alloc(70_000), words: NOTHING, code: "BAD_VERSION" },
  {
    state: "method",
    name: "HTTP",
    octets: Buffer.from("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    words: NOTHING,
    code: "BAD_VERSION",
  },
  {
    state: "method",
    name: "SOCKS4",
    octets: hex("04 01 0050 7f000001 00"),
    words: NOTHING,
    code: "BAD_VERSION",
  },
  { state: "method", name: "no method", octets: hex("05 00"), words: NOTHING, code: "NO_METHODS" },
  {
    state: "method",
    name: "other methods",
    octets: hex("05 02 00 02"),
    words: NO_METHOD,
    code: "NO_ACCEPTABLE_METHOD",
  },
  {
    state: "method",
    name: "fewer than said",
    octets: hex("05 ff 01 01"),
    ends: true,
    words: NOTHING,
    code: "CLOSED_EARLY",
  },

  { state: "token", name: "an end", octets: hex(""), ends: true, words: ABORT, code: "CLOSED_EARLY" },
  { state: "token", name: "ver 05", octets: hex("05 01 00 01"), words: ABORT, code: "BAD_VERSION" },
  { state: "token", name: "an abort", octets: hex("01 ff"), words: ABORT, code: "ABORTED" },
  {
    state: "token",
    name: "a level message",
    octets: hex("01 02 00"),
    words: ABORT,
    code: "UNEXPECTED_MESSAGE",
  },
  {
    state: "token",
    name: "an empty token, then ver 05",
    octets: hex("01 01 0000 05"),
    // SPNEGO answers the first with what it would take (NegTokenInit2).
    words: /^0101[0-9a-f]+01ff end$/,
    code: "BAD_VERSION",
  },
  {
    state: "token",
    name: "the longest token",
    octets: encodeGssapiMessage(MTYP.AUTHENTICATION, LONGEST),
    words: ABORT,
    code: "BAD_TOKEN",
  },
  {
    state: "token",
    name: "len ffff, an end",
    octets: begun(1),
    ends: true,
    words: ABORT,
    code: "CLOSED_EARLY",
  },

  { state: "level", name: "an end", octets: hex(""), ends: true, words: ABORT, code: "CLOSED_EARLY" },
  { state: "level", name: "ver 05", octets: hex("05 01 00 01"), words: ABORT, code: "BAD_VERSION" },
  { state: "level", name: "data", octets: hex("01 03 0001 00"), words: ABORT, code: "UNEXPECTED_MESSAGE" },
  {
    state: "level",
    name: "one more token",
    octets: hex("01 01 0001 60"),
    words: ABORT,
    code: "UNEXPECTED_MESSAGE",
  },
  {
    state: "level",
    name: "empty tokens without end",
    octets: Buffer.concat(Array(1000).fill(hex("01 01 0000"))),
    // One is answered.
    words: `01010000${ABORT}`,
    code: "UNEXPECTED_MESSAGE",
  },
  {
    state: "level",
    name: "the longest token",
    octets: encodeGssapiMessage(MTYP.PROTECTION_LEVEL, LONGEST),
    words: ABORT,
    code: "BAD_TOKEN",
  },
  {
    state: "level",
    name: "len ffff, an end",
    octets: begun(2),
    ends: true,
    words: ABORT,
    code: "CLOSED_EARLY",
  },

  { state: "request", name: "an end", octets: hex(""), ends: true, words: reply("01"), code: "CLOSED_EARLY" },
  {
    state: "request",
    name: "in clear",
    octets: connectRequest("127.0.0.1", 80),
    words: reply("01"),
    code: "CLEAR_REQUEST",
  },
  { state: "request", name: "zeros", octets: Buffer.alloc(70_000), words: reply("01"), code: "BAD_VERSION" },
  {
    state: "request",
    name: "the longest token",
    octets: encodeGssapiMessage(MTYP.USER_DATA, LONGEST),
    words: reply("01"),
    code: "BAD_TOKEN",
  },
  {
    state: "request",
    name: "len ffff, an end",
    octets: begun(3),
    ends: true,
    words: reply("01"),
    code: "TRUNCATED",
  },
  {
    state: "request",
    name: "sealed zeros",
    octets: (client) => client.seal(Buffer.alloc(60_000)),
    words: reply("01"),
    code: "BAD_VERSION",
  },
  {
    state: "request",
    name: "an unknown ATYP",
    octets: (client) => client.seal(request(CMD.CONNECT, hex("09 7f000001 0050"))),
    words: reply("08"),
    code: "ADDRESS_TYPE_UNSUPPORTED",
  },
  {
    state: "request",
    name: "a name that is none",
    octets: (client) => client.seal(request(CMD.CONNECT, hex("03 03 61000a 0050"))),
    words: reply("01"),
    code: "BAD_DOMAIN_NAME",
  },
  {
    state: "request",
    name: "an unknown CMD",
    octets: (client) => client.seal(request(0x7f, hex("01 7f000001 0050"))),
    words: reply("07"),
    code: "COMMAND_UNSUPPORTED",
  },
  {
    state: "request",
    name: "fewer octets than the name has",
    octets: (client) => client.seal(request(CMD.CONNECT, hex("03 ff 6161"))),
    ends: true,
    words: reply("01"),
    code: "CLOSED_EARLY",
  },

  { state: "relay", name: "zeros", octets: Buffer.alloc(70_000), words: RESET, code: "BAD_VERSION" },
  { state: "relay", name: "len ffff, an end", octets: begun(3), ends: true, words: RESET, code: "TRUNCATED" },
];

test("chosen garbage", async (context) => {
  const { proxy, origin } = await start(context);
  for (const { state, name, octets, ends = false, words, code } of CHOSEN) {
    await context.test(`${STEPS[state]}: ${name}`, async (t) => {
      const client = await reach(state, proxy, origin);
      t.after(() => client.close());
      client.send(typeof octets === "function" ? octets(client) : octets);
      if (ends) client.socket.end();
      const said = await lastWords(client, state);
      if (typeof words === "string") assert.equal(said, words);
      else assert.match(said, words);
      const record = await proxy.audit((each) => each.client === client.address);
      assert.equal(record.code, code, String(record.reason));
      const lines = proxy
        .log()
        .filter(({ msg, client: address }) => msg === "session failed" && address === client.address);
      // A command that is not supported is told in the step that answers it.
      const step = code === "COMMAND_UNSUPPORTED" ? "reply" : STEPS[state];
      assert.deepEqual(
        lines.map((line) => [line.step, line.code]),
        [[step, code]],
      );
      await assertServes(proxy, origin);
    });
  }
});

// --- at random ------------------------------------------------------------------------------------------------------------

/** Octets that look random and are the same in each run. */
function noise(index: number): Buffer {
  const seed = createHash("sha256").update(`client ${index}`).digest();
  return createHash("shake256", { outputLength: 1 + (seed.readUInt16BE(0) % 3000) })
    .update(seed)
    .digest();
}

/** What leads further into the state's parser before the noise begins. */
const HEADS: Readonly<Record<State, readonly ((client: RawClient, noise: Buffer) => Buffer)[]>> = {
  method: [(_, octets) => octets, (_, octets) => Buffer.concat([hex("05"), octets])],
  token: [
    (_, octets) => octets,
    (_, octets) => Buffer.concat([hex("01 01"), octets]),
    (_, octets) => encodeGssapiMessage(MTYP.AUTHENTICATION, octets),
  ],
  level: [
    (_, octets) => octets,
    (_, octets) => Buffer.concat([hex("01 02"), octets]),
    (client, octets) => encodeGssapiMessage(MTYP.PROTECTION_LEVEL, client.context.wrap(octets, false)),
  ],
  request: [
    (_, octets) => octets,
    (_, octets) => Buffer.concat([hex("01 03"), octets]),
    (client, octets) => client.seal(octets),
    (client, octets) => client.seal(Buffer.concat([hex("05 01 00"), octets])),
  ],
  relay: [
    (_, octets) => octets,
    (_, octets) => Buffer.concat([hex("01 03"), octets]),
    (_, octets) => encodeGssapiMessage(MTYP.USER_DATA, octets),
  ],
};

const STATES = Object.keys(HEADS) as State[];

/** One of them, in hex. */
const WORDS: Readonly<Record<State, RegExp>> = {
  // METHOD 0x01 may be among what was offered.
  method: /^((05ff|050101ff) )?end$/,
  token: /^01ff end$/,
  level: /^01ff end$/,
  request: /^sealed 050[1-8]0001000000000000 end$/,
  relay: /reset$/,
};

test("500 clients with random garbage leave nothing behind", async (context) => {
  const { proxy, origin } = await start(context);
  await assertServes(proxy, origin);
  const before = descriptors(proxy.pid);

  let next = 0;
  const one = async (index: number) => {
    const state = STATES[index % STATES.length] as State;
    const heads = HEADS[state];
    const octets = heads[Math.floor(index / STATES.length) % heads.length];
    const client = await reach(state, proxy, origin);
    client.send((octets as (typeof heads)[number])(client, noise(index)));
    client.socket.end();
    assert.match(await lastWords(client, state), WORDS[state], `client ${index}, ${STEPS[state]}`);
    client.close();
  };
  const several = Array.from({ length: 10 }, async () => {
    while (next < 500) await one(next++);
  });
  await Promise.all(several);

  await assertServes(proxy, origin);
  await until("no descriptor is left", () => descriptors(proxy.pid) <= before);
  proxy.signal("SIGTERM");
  assert.deepEqual(await proxy.exited, { code: 0, signal: null });
  assert.equal(proxy.log().find(({ msg }) => msg === "draining")?.sessions, 0);
  const count = (wanted: string) => proxy.log().filter(({ msg }) => msg === wanted).length;
  assert.deepEqual([count("session failed"), proxy.audits().length], [500, 502]);
});

// --- too many tokens --------------------------------------------------------------------------------------------------

test("tokens that never come to an end", async (context) => {
  const { proxy, origin } = await start(context, { mechanisms: ["krb5", "iakerb"] });
  const mechanism = GSS_MECH_IAKERB;
  const credential = await Credential.initiator({
    principal: "alice",
    password: "alice-password",
    mechanisms: [mechanism],
  });
  context.after(() => credential.close());
  const target = Name.import("rcmd@localhost");
  context.after(() => target.close());
  const initiator = SecurityContext.initiator({ target, credential, mechanism });
  context.after(() => initiator.close());
  const { token } = await initiator.init(null);
  assert.ok(token);

  const client = await reach("token", proxy, origin);
  context.after(() => client.close());
  // Each is a request to the KDC, which the acceptor passes on.
  for (let sent = 0; sent < 16; sent += 1) {
    client.send(encodeGssapiMessage(MTYP.AUTHENTICATION, token));
    assert.ok((await client.message(MTYP.AUTHENTICATION)).length > 0);
  }
  client.send(encodeGssapiMessage(MTYP.AUTHENTICATION, token));
  assert.equal(await lastWords(client, "token"), ABORT);
  const { code, reason } = await proxy.audit((each) => each.client === client.address);
  assert.deepEqual([code, reason], ["TOO_MANY_TOKENS", "no context after 16 tokens"]);
  await assertServes(proxy, origin);
});
