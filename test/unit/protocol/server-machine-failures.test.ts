// The server machine where something goes wrong: what the client is told, and what the driver is told, in every state.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NetworkError, PeerError, PolicyError } from "../../../src/errors.js";
import { REP } from "../../../src/protocol/constants.js";
import type { ServerInput, ServerState } from "../../../src/protocol/server-state.js";
import { FakeServer, type FakeServerOptions } from "./fake-server.js";
import { hex } from "./hex.js";

const METHODS = "05 01 01";
const TOKEN = "01 01 00 06 63 6c 69 65 6e 74";
const LEVEL = "01 02 00 02 ee 02";
const REQUEST = "05 01 00 01 c6 33 64 07 00 50";

const ABORT = "01ff";
const reply = (rep: string) => `05${rep}0001000000000000`;

/** What brings a machine into each state: octets, with the results of the steps between released or held. */
const WAY: { readonly [State in ServerState]?: readonly string[] } = {
  method: [],
  token: [METHODS],
  accepting: [METHODS, TOKEN],
  level: [METHODS, TOKEN, "release"],
  "opening-level": [METHODS, TOKEN, "release", LEVEL],
  request: [METHODS, TOKEN, "release", LEVEL, "release"],
  deciding: [METHODS, TOKEN, "release", LEVEL, "release", REQUEST],
};

function serverIn(state: ServerState, options: FakeServerOptions = {}): FakeServer {
  const server = new FakeServer({ ...options, hold: true });
  for (const step of WAY[state] ?? []) {
    if (step === "release") server.release();
    else server.octets(hex(step));
  }
  assert.equal(server.machine.state, state);
  server.takeSent();
  return server;
}

/** Refused with this code in this state, after having sent just this; and nothing comes of it any more. */
function assertRefused(server: FakeServer, code: string, state: ServerState, sent: string): void {
  assert.equal(server.refused?.error.code, code);
  assert.equal(server.refused?.state, state);
  assert.equal(server.takeSent().toString("hex"), sent);
  assert.equal(server.log.at(-1), `refuse ${code} in ${state}`);
  assert.equal(server.machine.state, "closed");
  assert.equal(server.machine.buffered, 0);
  const lines = server.log.length;
  const late: ServerInput[] = [
    { type: "octets", octets: hex(METHODS) },
    { type: "accepted", complete: true, token: null, levels: ["none"] },
    { type: "level-opened", octets: Buffer.of(2) },
    { type: "replied", rep: 0 },
    { type: "ended" },
    { type: "failed", error: new PolicyError("LATE", "late") },
  ];
  for (const input of late) server.feed(input);
  assert.equal(server.log.length, lines, "a closed machine gives nothing");
}

test("garbage, in every state that reads", () => {
  const table: [ServerState, octets: string, code: string, sent: string][] = [
    ["method", "04 01 00 50 7f 00 00 01 00", "BAD_VERSION", ""],
    ["method", "16 03 01 02 00", "BAD_VERSION", ""],
    ["method", "05 00", "NO_METHODS", ""],
    ["method", "05 02 00 02", "NO_ACCEPTABLE_METHOD", "05ff"],
    ["token", "05", "BAD_VERSION", ABORT],
    ["token", "01 02", "UNEXPECTED_MESSAGE", ABORT],
    ["token", "01 03", "UNEXPECTED_MESSAGE", ABORT],
    ["token", "01 ff", "ABORTED", ABORT],
    ["level", "05", "BAD_VERSION", ABORT],
    ["level", "01 03", "UNEXPECTED_MESSAGE", ABORT],
    ["level", "01 ff", "ABORTED", ABORT],
    ["level", TOKEN, "UNEXPECTED_MESSAGE", ABORT],
    ["level", "01 01 00 00  01 01 00 00", "UNEXPECTED_MESSAGE", `01010000${ABORT}`],
    ["level", "01 02 00 01 02", "NEC_NOT_ALLOWED", ABORT],
    ["request", "04", "BAD_VERSION", reply("01")],
    ["request", "01 03 00 05", "BAD_VERSION", reply("01")],
    ["request", "05 01 00 02", "ADDRESS_TYPE_UNSUPPORTED", reply("08")],
    ["request", "05 01 00 03 00 00 50", "BAD_DOMAIN_NAME", reply("01")],
    ["request", "05 01 00 03 03 61 00 62 00 50", "BAD_DOMAIN_NAME", reply("01")],
  ];
  for (const [state, octets, code, sent] of table) {
    const whole = serverIn(state);
    whole.octets(hex(octets));
    assertRefused(whole, code, state, sent);
    const slow = serverIn(state);
    for (const octet of hex(octets)) slow.octets(Buffer.of(octet));
    assertRefused(slow, code, state, sent);
  }
});

test("a level that can't be opened, or is none", () => {
  for (const [token, code] of [
    ["01 02 00 00", "BAD_TOKEN"],
    ["01 02 00 02 dd 02", "BAD_TOKEN"],
    ["01 02 00 01 ee", "NEC_NOT_ALLOWED"],
    ["01 02 00 02 ee 04", "BAD_LEVEL"],
    ["01 02 00 03 ee 02 02", "BAD_LEVEL"],
  ] as const) {
    const server = serverIn("level");
    server.octets(hex(token));
    const opened = server.machine.state === "opening-level";
    server.release();
    assertRefused(server, code, opened ? "opening-level" : "level", ABORT);
  }
  const nec = serverIn("level", { nec: true });
  nec.octets(hex("01 02 00 01 04"));
  assertRefused(nec, "BAD_LEVEL", "level", ABORT);
});

test("a request sealed at level none is told by its first octet", () => {
  const server = serverIn("request", { levels: ["none"] });
  server.octets(hex("01"));
  assertRefused(server, "SEALED_AT_LEVEL_NONE", "request", reply("01"));
});

test("a context that makes none of the allowed levels possible", () => {
  const server = serverIn("accepting", { levels: [] });
  server.release();
  assertRefused(server, "LEVEL_IMPOSSIBLE", "accepting", ABORT);
});

test("closed early, in every state, with and without half a message", () => {
  const half = {
    method: "05",
    token: "01",
    accepting: "01",
    level: "01",
    "opening-level": "05",
    request: "05",
  };
  for (const [state, octet] of Object.entries(half) as [keyof typeof half, string][]) {
    const sent = state === "method" ? "" : state === "request" ? reply("01") : ABORT;
    const server = serverIn(state);
    server.feed({ type: "ended" });
    assertRefused(server, "CLOSED_EARLY", state, sent);
    assert.match(server.refused?.error.message ?? "", /without a message/);
    const within = serverIn(state);
    within.octets(hex(octet));
    within.feed({ type: "ended" });
    assertRefused(within, "CLOSED_EARLY", state, sent);
    assert.match(within.refused?.error.message ?? "", /in the middle of a message/);
  }
});

test("the driver failed: a deadline, a broken socket, a refused token, in every state", () => {
  for (const state of Object.keys(WAY) as ServerState[]) {
    const sent = state === "method" ? "" : /request|deciding/.test(state) ? reply("06") : ABORT;
    const server = serverIn(state);
    const error = new NetworkError("HANDSHAKE_TIMEOUT", "too long", { rep: REP.TTL_EXPIRED });
    server.feed({ type: "failed", error });
    assertRefused(server, "HANDSHAKE_TIMEOUT", state, sent);
    assert.equal(server.refused?.error, error);
  }
});

test("every REP but 0 is sent, and closes", () => {
  for (let rep = 1; rep <= 0xff; rep += 1) {
    const server = serverIn("deciding", { rep });
    server.release();
    assertRefused(server, "TEST", "deciding", reply(rep.toString(16).padStart(2, "0")));
  }
  const plain = serverIn("deciding");
  plain.feed({ type: "replied", rep: REP.NOT_ALLOWED });
  assertRefused(plain, "REFUSED", "deciding", reply("02"));
});

test("too much while an answer is awaited: bounded, and told", () => {
  for (const state of ["accepting", "opening-level", "deciding"] as const) {
    const server = serverIn(state);
    let fed = 0;
    for (; server.machine.state !== "closed" && fed < 1 << 20; fed += 4096) server.octets(Buffer.alloc(4096));
    assert.ok(fed >= 3 * 65536, "what was read ahead, a whole message and a whole read have room");
    assert.ok(fed < 4 * 65536, "and no more than that");
    assertRefused(server, "TOO_MUCH_DATA", state, state === "deciding" ? reply("01") : ABORT);
  }
});

test("the longest message of each state fits, with a read of 64 KiB behind it", () => {
  const server = new FakeServer({ hold: true });
  server.octets(hex(METHODS));
  const longest = Buffer.concat([hex("01 01 ff ff"), Buffer.alloc(0xffff)]);
  server.octets(Buffer.concat([longest.subarray(0, -1)]));
  server.octets(Buffer.concat([longest.subarray(-1), Buffer.alloc(65535, 1)]));
  assert.equal(server.machine.state, "accepting");
  assert.equal(server.machine.buffered, 65535);
});

test("sixteen tokens are heard, the seventeenth is one too many", () => {
  const tokens = Array.from({ length: 20 }, () => "more");
  const server = new FakeServer({ tokens });
  server.octets(hex(METHODS));
  for (let leg = 1; leg <= 16; leg += 1) server.octets(hex(TOKEN));
  assert.equal(server.log.filter((line) => line.startsWith("accept")).length, 16);
  assert.equal(server.machine.state, "token");
  server.takeSent();
  server.octets(hex(TOKEN));
  assertRefused(server, "TOO_MANY_TOKENS", "token", ABORT);
});

test("a result that nobody waits for is a bug of the driver, and said so", () => {
  const server = serverIn("token");
  assert.throws(() => server.feed({ type: "replied", rep: 0 }), /replied in state token/);
  const error = new PeerError("X", "x");
  server.feed({ type: "failed", error });
  assertRefused(server, "X", "token", ABORT);
});

test("a client that closes after our counter-offer is told apart from one that just closes", () => {
  const closed = (octets: string) => {
    const server = serverIn("request", { levels: ["integrity"] });
    server.octets(hex(octets));
    server.feed({ type: "ended" });
    return server;
  };
  const unhappy = closed("");
  assert.match(unhappy.refused?.error.message ?? "", /offered level confidentiality, we answered integrity/);
  assertRefused(unhappy, "LEVEL_REFUSED", "request", reply("01"));
  assertRefused(closed("05"), "CLOSED_EARLY", "request", reply("01"));
});
