// The client machine where something goes wrong. RFC 1961 gives a client no abort: it closes, so nothing is ever sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkError, PeerError, PolicyError } from "../../../src/errors.js";
import type { ClientInput, ClientState } from "../../../src/protocol/client-state.js";
import { CMD } from "../../../src/protocol/constants.js";
import { FakeClient, type FakeClientOptions } from "./fake-client.js";
import { hex } from "./hex.js";

const METHOD = "05 01";
const TOKEN = "01 01 00 06 73 65 72 76 65 72";
const LEVEL = "01 02 00 02 ee 02";
const REPLY = "05 00 00 01 c0 00 02 09 9c 40";
const PASSWORD: FakeClientOptions = {
  methods: ["password"],
  credentials: { username: "alice", password: Buffer.from("secret") },
};

const WAY: { readonly [State in ClientState]?: readonly string[] } = {
  idle: [],
  method: ["start"],
  initiating: ["start", METHOD],
  token: ["start", METHOD, "release"],
  level: ["start", METHOD, "release", TOKEN, "release"],
  "opening-level": ["start", METHOD, "release", TOKEN, "release", LEVEL],
  reply: ["start", METHOD, "release", TOKEN, "release", LEVEL, "release"],
  "second-reply": ["start", METHOD, "release", TOKEN, "release", LEVEL, "release", REPLY],
  status: ["start", "05 02"],
};

/** What the machine is to be told for it to come there. */
const OPTIONS: { readonly [State in ClientState]?: FakeClientOptions } = {
  confirm: { tokens: ["client"] },
  "second-reply": { cmd: CMD.BIND },
  status: PASSWORD,
};

function clientIn(state: ClientState, options: FakeClientOptions = {}): FakeClient {
  const client = new FakeClient({ ...OPTIONS[state], ...options, hold: true });
  const way = state === "confirm" ? WAY.token : WAY[state];
  for (const step of way ?? []) {
    if (step === "start") client.start();
    else if (step === "release") client.release();
    else client.octets(hex(step));
  }
  assert.equal(client.machine.state, state);
  client.takeSent();
  return client;
}

function assertRefused(client: FakeClient, code: string, state: ClientState): void {
  assert.equal(client.refused?.error.code, code);
  assert.equal(client.refused?.state, state);
  assert.equal(client.takeSent().length, 0);
  assert.equal(client.machine.state, "closed");
  const lines = client.log.length;
  const late: ClientInput[] = [
    { type: "octets", octets: hex(METHOD) },
    { type: "initiated", complete: true, token: null },
    { type: "level-opened", octets: Buffer.of(2) },
    { type: "ended" },
    { type: "failed", error: new PolicyError("LATE", "late") },
  ];
  for (const input of late) client.feed(input);
  assert.equal(client.log.length, lines, "a closed machine gives nothing");
}

test("garbage, in every state that reads", () => {
  const table: [ClientState, octets: string, code: string, FakeClientOptions?][] = [
    ["method", "00 5a", "BAD_VERSION"],
    ["method", "48 54 54 50", "BAD_VERSION"],
    ["method", "05 ff", "NO_ACCEPTABLE_METHOD"],
    ["method", "05 00", "BAD_METHOD"],
    ["method", "05 02", "BAD_METHOD"],
    ["method", "05 01", "BAD_METHOD", PASSWORD],
    ["method", "05 e1", "BAD_METHOD", { hops: 1 }],
    ["status", "05", "BAD_VERSION"],
    ["status", "01 01", "AUTHENTICATION_REFUSED"],
    ["status", "01 ff", "AUTHENTICATION_REFUSED"],
    ["token", "05", "BAD_VERSION"],
    ["token", "01 02", "UNEXPECTED_MESSAGE"],
    ["token", "01 ff", "AUTHENTICATION_REFUSED"],
    ["confirm", "01 ff", "AUTHENTICATION_REFUSED"],
    ["confirm", TOKEN, "UNEXPECTED_MESSAGE"],
    ["confirm", "01 02", "UNEXPECTED_MESSAGE"],
    ["level", "05", "BAD_VERSION"],
    ["level", "01 01", "UNEXPECTED_MESSAGE"],
    ["level", "01 03", "UNEXPECTED_MESSAGE"],
    ["level", "01 ff", "LEVEL_REFUSED"],
    ["reply", "04", "BAD_VERSION"],
    ["reply", "05 00 00 02", "ADDRESS_TYPE_UNSUPPORTED"],
    ["reply", "05 00 00 03 01 00 00 50", "BAD_DOMAIN_NAME"],
    ["second-reply", "04", "BAD_VERSION"],
    ["second-reply", "05 00 00 02", "ADDRESS_TYPE_UNSUPPORTED"],
    ["second-reply", "05 01 00 01 00 00 00 00 00 00", "NOBODY_CONNECTED"],
    ["second-reply", "05 06 00 01 00 00 00 00 00 00", "NOBODY_CONNECTED"],
  ];
  for (const [state, octets, code, options] of table) {
    const whole = clientIn(state, options);
    whole.octets(hex(octets));
    assertRefused(whole, code, state);
    const slow = clientIn(state, options);
    for (const octet of hex(octets)) slow.octets(Buffer.of(octet));
    assertRefused(slow, code, state);
  }
});

test("a level we do not accept, in either direction, or that is none", () => {
  const table: [answer: string, levels: FakeClientOptions["levels"], code: string][] = [
    ["00", ["confidentiality"], "LEVEL_REFUSED"],
    ["01", ["confidentiality"], "LEVEL_REFUSED"],
    ["02", ["integrity"], "LEVEL_REFUSED"],
    ["03", ["confidentiality", "integrity"], "LEVEL_REFUSED"],
    ["04", ["confidentiality"], "BAD_LEVEL"],
    ["02 02", ["confidentiality"], "BAD_LEVEL"],
  ];
  for (const [answer, levels, code] of table) {
    const client = clientIn("level", levels === undefined ? {} : { levels });
    const token = hex(`ee ${answer}`);
    client.octets(Buffer.concat([hex("01 02 00"), Buffer.of(token.length), token]));
    client.release();
    assertRefused(client, code, "opening-level");
  }
});

test("a level that is not wrapped, or badly, where NEC was not asked for", () => {
  for (const message of ["01 02 00 01 02", "01 02 00 00", "01 02 00 02 dd 02"]) {
    const client = clientIn("level");
    client.octets(hex(message));
    client.release();
    assertRefused(client, "BAD_TOKEN", "opening-level");
  }
});

test("every REP says who is to blame", () => {
  for (let rep = 1; rep <= 0xff; rep += 1) {
    const client = clientIn("reply");
    client.octets(Buffer.concat([Buffer.of(5, rep), hex("00 01 00 00 00 00 00 00")]));
    const error = client.refused?.error;
    assert.equal(error?.rep, rep);
    if (rep === 2) assert.ok(error instanceof PolicyError && error.code === "RULE_DENIED");
    else if (rep >= 3 && rep <= 6)
      assert.ok(error instanceof NetworkError && error.code === "DESTINATION_REFUSED");
    else assert.ok(error instanceof PeerError && error.code === "REQUEST_REFUSED");
    assert.match(error?.message ?? "", new RegExp(`198\\.51\\.100\\.7:80.*\\(REP ${rep}\\)`));
    assertRefused(client, error?.code ?? "", "reply");
  }
});

test("closed early, and failed by the driver, in every state", () => {
  for (const state of [...(Object.keys(WAY) as ClientState[]), "confirm"] as const) {
    const ended = clientIn(state);
    ended.feed({ type: "ended" });
    assertRefused(ended, "CLOSED_EARLY", state);
    const failed = clientIn(state);
    const error = new NetworkError("TIMEOUT", "too long");
    failed.feed({ type: "failed", error });
    assertRefused(failed, "TIMEOUT", state);
    assert.equal(failed.refused?.error, error);
  }
});

test("too much before its turn: bounded, and told", () => {
  for (const state of ["initiating", "opening-level"] as const) {
    const client = clientIn(state);
    let fed = 0;
    for (; client.machine.state !== "closed" && fed < 1 << 20; fed += 4096) client.octets(Buffer.alloc(4096));
    assert.ok(fed > 65536 + 65539 && fed < 3 * 65536);
    assertRefused(client, "TOO_MUCH_DATA", state);
  }
});

test("sixteen tokens are heard, the seventeenth is one too many", () => {
  const client = new FakeClient({ tokens: Array.from({ length: 20 }, () => "more") });
  client.start();
  client.octets(hex(METHOD));
  for (let leg = 1; leg <= 16; leg += 1) client.octets(hex(TOKEN));
  assert.equal(client.log.filter((line) => line === "init server").length, 16);
  client.takeSent();
  client.octets(hex(TOKEN));
  assertRefused(client, "TOO_MANY_TOKENS", "token");
});

test("a mechanism that wants more and has nothing to send can't go on", () => {
  const client = clientIn("initiating");
  client.feed({ type: "initiated", complete: false, token: null });
  assertRefused(client, "BAD_TOKEN", "initiating");
});

test("above eight hops nothing is sent", () => {
  for (const hops of [9, 30, 31]) {
    const client = new FakeClient({ hops });
    client.start();
    assertRefused(client, "LOOP", "method");
  }
});
