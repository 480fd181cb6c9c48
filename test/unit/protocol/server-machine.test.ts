// The server machine where all goes well: whole and byte by byte, legs, empty tokens, levels, NEC, pipelining.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgreedLevel } from "../../../src/protocol/protection-level.js";
import { ServerMachine } from "../../../src/protocol/server-machine.js";
import { FakeServer } from "./fake-server.js";
import { hex } from "./hex.js";
import { serve } from "./serve.js";

const METHODS = "05 02 00 01"; // no authentication first, as curl lists them
const TOKEN = "01 01 00 06 63 6c 69 65 6e 74"; // "client"
const EMPTY_TOKEN = "01 01 00 00";
const REQUEST = "05 01 00 01 c6 33 64 07 00 50"; // CONNECT 198.51.100.7:80
const DATA = "64 61 74 61";
const wrappedLevel = (octet: string) => `01 02 00 02 ee ${octet}`;
const bareLevel = (octet: string) => `01 02 00 01 ${octet}`;

const HAPPY = [
  "methods 0 1, selected 1",
  "send 0501",
  "accept client",
  "send 01010006736572766572",
  "open-level ee02",
  "seal-level confidentiality for confidentiality",
  "protect confidentiality",
  "request 1 198.51.100.7:80",
  "send 05000001c00002099c40",
  "relay",
];

test("the whole way, with data behind the request", () => {
  const server = serve(`${METHODS} ${TOKEN} ${wrappedLevel("02")} ${REQUEST} ${DATA}`);
  assert.deepEqual(server.log, HAPPY);
  assert.equal(server.relayed.toString(), "data");
  const sent = hex(`05 01  01 01 00 06 73 65 72 76 65 72  01 02 00 02 ee 02  05 00 00 01 c0 00 02 09 9c 40`);
  assert.deepEqual(server.takeSent(), sent);
});

test("a client that sends everything at once, while each answer takes its time", () => {
  const server = new FakeServer({ hold: true });
  server.octets(hex(`${METHODS} ${TOKEN} ${wrappedLevel("02")} ${REQUEST} ${DATA}`));
  for (const [state, effects] of [
    ["accepting", 3],
    ["opening-level", 5],
    ["deciding", 8],
  ] as const) {
    assert.equal(server.machine.state, state);
    assert.equal(server.machine.waiting, true);
    assert.equal(server.log.length, effects);
    server.release();
  }
  assert.equal(server.machine.waiting, false);
  assert.deepEqual(server.log, HAPPY);
  assert.equal(server.relayed.toString(), "data");
  assert.equal(server.machine.buffered, 0);
});

test("the method is chosen in the server's order, never the client's", () => {
  const table: [methods: number[], client: string, selected: string][] = [
    [[1], "05 01 01", "0501"],
    [[1, 2], "05 03 00 02 01", "0501"],
    [[2, 1], "05 03 00 01 02", "0502"],
    [[1], "05 02 01 01", "0501"],
  ];
  for (const [methods, client, selected] of table) {
    assert.equal(serve(client, { methods }).takeSent().toString("hex"), selected);
  }
});

test("several legs: each token is answered with one", () => {
  const server = serve(`${METHODS} ${TOKEN} ${TOKEN} ${TOKEN}`, { tokens: ["one", "two", "three"] });
  assert.deepEqual(server.log.slice(2), [
    "accept client",
    "send 010100036f6e65",
    "accept client",
    "send 0101000374776f",
    "accept client",
    "send 010100057468726565",
  ]);
  assert.equal(server.machine.state, "level");
});

test("an empty final token goes out where accept gave none, and only there (RFC 1961 §3.6)", () => {
  assert.equal(serve(`${METHODS} ${TOKEN}`, { tokens: [null] }).log.at(-1), "send 01010000");
  const withToken = serve(`${METHODS} ${TOKEN}`, { tokens: ["server"] });
  assert.deepEqual(
    withToken.log.filter((line) => line.startsWith("send 0101")),
    ["send 01010006736572766572"],
  );
});

test("an empty mtyp 1 after completion is answered with one, once", () => {
  for (const tokens of [["server"], [null]]) {
    const server = serve(`${METHODS} ${TOKEN} ${EMPTY_TOKEN} ${wrappedLevel("02")} ${REQUEST}`, { tokens });
    assert.equal(server.log[4], "send 01010000");
    assert.equal(server.machine.state, "relaying");
  }
});

test("every level offered against every list: the answer is in the list", () => {
  const n: AgreedLevel = "none";
  const i: AgreedLevel = "integrity";
  const c: AgreedLevel = "confidentiality";
  const table: [levels: AgreedLevel[], answers: string][] = [
    [[n], "00 00 00 00"],
    [[i], "01 01 01 01"],
    [[c], "02 02 02 02"],
    [[c, i], "02 01 02 02"],
    [[i, c], "01 01 02 02"],
    [[i, n], "00 01 01 01"],
    [[c, i, n], "00 01 02 02"],
    [[n, i, c], "00 01 02 02"],
  ];
  for (const [levels, answers] of table) {
    for (const offered of [0, 1, 2, 3]) {
      const answer = answers.slice(offered * 3, offered * 3 + 2);
      for (const nec of [false, true]) {
        const level = nec ? bareLevel(`0${offered}`) : wrappedLevel(`0${offered}`);
        const server = serve(`${METHODS} ${TOKEN} ${level} ${REQUEST}`, { levels, nec });
        const said = hex(nec ? bareLevel(answer) : wrappedLevel(answer));
        assert.ok(server.takeSent().includes(said), `${offered} of ${levels}`);
        const agreed = ["none", "integrity", "confidentiality"][Number(answer)];
        assert.ok(server.log.includes(`protect ${agreed}`));
        assert.equal(server.machine.state, "relaying");
      }
    }
  }
});

test("a listener that allows NEC's bare octet still takes a wrapped one, and answers it wrapped", () => {
  const server = serve(`${METHODS} ${TOKEN} ${wrappedLevel("01")} ${REQUEST}`, { nec: true, socks4: false });
  assert.ok(server.log.includes("seal-level integrity for integrity"));
});

test("a half-close while the destination is dialed is no error", () => {
  const server = new FakeServer({ hold: true });
  server.octets(hex(`${METHODS} ${TOKEN}`));
  server.release();
  server.octets(hex(wrappedLevel("02")));
  server.release();
  server.octets(hex(`${REQUEST} ${DATA}`));
  server.feed({ type: "ended" });
  assert.equal(server.machine.state, "deciding");
  server.release();
  assert.equal(server.machine.state, "relaying");
  assert.equal(server.relayed.toString(), "data");
});

test("the buffers of the rest are the receiver's own: later input does not reach back into them", () => {
  const server = new FakeServer();
  const octets = hex(`${METHODS} ${TOKEN} ${wrappedLevel("02")} ${REQUEST} ${DATA}`);
  server.octets(octets);
  octets.fill(0);
  assert.equal(server.relayed.toString(), "data");
});

test("what was received behind the level message is handed out to be opened, never read as it is", () => {
  const machine = new ServerMachine({ methods: [1], nec: true, socks4: false });
  machine.feed({ type: "octets", octets: hex(`${METHODS} ${TOKEN}`) });
  machine.feed({ type: "octets", octets: hex(`${bareLevel("02")} 01 03 00 01 aa`) });
  const effects = machine.feed({
    type: "accepted",
    complete: true,
    token: null,
    levels: ["confidentiality"],
  });
  const rest = hex("01 03 00 01 aa");
  assert.deepEqual(effects.at(-1), { type: "protect", level: "confidentiality", rest });
  assert.equal(machine.state, "request");
  assert.equal(machine.buffered, 0);
});
