// The client machine where all goes well: whole and byte by byte, legs, the empty final token, NEC, counter-offers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHost } from "../../../src/protocol/address.js";
import { ClientMachine } from "../../../src/protocol/client-machine.js";
import { ask, FakeClient } from "./fake-client.js";
import { hex } from "./hex.js";

const METHOD = "05 01";
const TOKEN = "01 01 00 06 73 65 72 76 65 72"; // "server"
const EMPTY_TOKEN = "01 01 00 00";
const LEVEL = "01 02 00 02 ee 02";
const REPLY = "05 00 00 01 c0 00 02 09 9c 40";
const DATA = "64 61 74 61";

const HAPPY = [
  "send 050101",
  "init",
  "send 01010006636c69656e74",
  "init server",
  "seal-level confidentiality",
  "open-level ee02",
  "protect confidentiality",
  "send 05010001c63364070050",
  "relay 192.0.2.9:40000",
];

test("the whole way, with data behind the reply", () => {
  const client = ask(`${METHOD} ${TOKEN} ${LEVEL} ${REPLY} ${DATA}`);
  assert.deepEqual(client.log, HAPPY);
  assert.equal(client.relayed.toString(), "data");
  assert.deepEqual(
    client.takeSent(),
    hex("05 01 01  01 01 00 06 63 6c 69 65 6e 74  01 02 00 02 ee 02  05 01 00 01 c6 33 64 07 00 50"),
  );
});

test("a proxy that sends everything at once gets the same, in the same order", () => {
  const client = new FakeClient({ hold: true });
  client.start();
  client.octets(hex(`${METHOD} ${TOKEN} ${LEVEL} ${REPLY} ${DATA}`));
  for (const state of ["initiating", "initiating", "opening-level"]) {
    assert.equal(client.machine.state, state);
    client.release();
  }
  assert.deepEqual(client.log, HAPPY);
  assert.equal(client.relayed.toString(), "data");
});

test("a context that is complete with a token of ours waits for the proxy's empty one (RFC 1961 §3.6)", () => {
  const oneLeg = ask(`${METHOD} ${EMPTY_TOKEN} ${LEVEL} ${REPLY}`, { tokens: ["client"] });
  assert.deepEqual(oneLeg.log, HAPPY.toSpliced(3, 1));
  const threeLegs = ask(`${METHOD} ${TOKEN} ${EMPTY_TOKEN} ${LEVEL} ${REPLY}`, {
    tokens: ["client", "third"],
  });
  assert.deepEqual(threeLegs.log, HAPPY.toSpliced(4, 0, "send 010100057468697264"));
});

test("NEC: the level goes bare and comes bare; a wrapped answer is taken too", () => {
  for (const answer of ["01 02 00 01 02", LEVEL]) {
    const client = ask(`${METHOD} ${TOKEN} ${answer} ${REPLY}`, { nec: true });
    assert.ok(client.log.includes("seal-level confidentiality, bare"));
    assert.ok(client.takeSent().includes(hex("01 02 00 01 02")));
    assert.equal(client.machine.state, "relaying");
  }
});

test("a counter-offer among our levels is taken, level none included", () => {
  for (const [answer, level] of [
    ["00", "none"],
    ["01", "integrity"],
  ] as const) {
    const client = ask(`${METHOD} ${TOKEN} 01 02 00 02 ee ${answer} ${REPLY}`, {
      levels: ["confidentiality", "integrity", "none"],
    });
    assert.equal(client.log[4], "seal-level confidentiality");
    assert.ok(client.log.includes(`protect ${level}`));
    assert.equal(client.machine.state, "relaying");
  }
});

test("destinations of each kind", () => {
  const table: [host: string, request: string][] = [
    ["2001:db8::1", "050100042001 0db8 0000 0000 0000 0000 0000 0001 0050"],
    ["db.example.test", `0501 0003 0f ${Buffer.from("db.example.test").toString("hex")} 0050`],
  ];
  for (const [host, request] of table) {
    const client = ask(`${METHOD} ${TOKEN} ${LEVEL}`, { dst: { host: parseHost(host), port: 80 } });
    assert.equal(client.log.at(-1), `send ${hex(request).toString("hex")}`);
  }
});

test("what was received behind the level message is handed out to be opened, never read as it is", () => {
  const dst = { host: parseHost("192.0.2.1"), port: 80 };
  const machine = new ClientMachine({ cmd: 1, dst, methods: ["gssapi"], levels: ["integrity"], nec: true });
  machine.feed({ type: "start" });
  machine.feed({ type: "octets", octets: hex(`${METHOD} 01 02 00 01 01  05 00 00 01 c0 00 02 09 9c 40`) });
  const effects = machine.feed({ type: "initiated", complete: true, token: null });
  const rest = hex("05 00 00 01 c0 00 02 09 9c 40");
  assert.deepEqual(effects[1], { type: "protect", level: "integrity", rest });
  assert.equal(machine.state, "reply");
});
