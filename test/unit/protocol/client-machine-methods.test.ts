// The client machine by METHODs other than GSS-API, with a hop mark, and through BIND's two replies: whole and byte by byte.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CMD } from "../../../src/protocol/constants.js";
import { ask, FakeClient, type FakeClientOptions } from "./fake-client.js";
import { hex } from "./hex.js";

const REPLY = "05 00 00 01 c0 00 02 09 9c 40";
const SECOND_REPLY = "05 00 00 01 c6 33 64 07 00 14";
const DATA = "64 61 74 61";
const REQUEST = "send 05010001c63364070050";
const ALICE = { username: "alice", password: Buffer.from("secret") };

test("no authentication: the request follows the METHOD", () => {
  const client = ask(`05 00 ${REPLY} ${DATA}`, { methods: ["none"] });
  assert.deepEqual(client.log, ["send 050100", "method none", REQUEST, "relay 192.0.2.9:40000"]);
  assert.equal(client.relayed.toString(), "data");
});

test("username and password (RFC 1929 §2)", () => {
  const client = ask(`05 02  01 00  ${REPLY} ${DATA}`, { methods: ["password"], credentials: ALICE });
  const message = hex(`
    01                 # VER
    05                 # ULEN
    61 6c 69 63 65     # UNAME
    06                 # PLEN
    73 65 63 72 65 74  # PASSWD
  `);
  assert.deepEqual(client.log, [
    "send 050102",
    "method password",
    `send ${message.toString("hex")}`,
    REQUEST,
    "relay 192.0.2.9:40000",
  ]);
  assert.equal(client.relayed.toString(), "data");
});

test("the password is to be wiped once it is out, and nothing else is", () => {
  const { machine } = new FakeClient({ methods: ["password"], credentials: ALICE });
  const secrets = [
    ...machine.feed({ type: "start" }),
    ...machine.feed({ type: "octets", octets: hex("05 02 01 00") }),
  ].flatMap((effect) => (effect.type === "send" ? [[effect.octets.includes("secret"), effect.secret]] : []));
  assert.deepEqual(secrets, [
    [false, undefined],
    [true, true],
    [false, undefined],
  ]);
});

test("what is offered is in the caller's order, the hop mark behind it; the proxy picks", () => {
  const options: FakeClientOptions = {
    methods: ["gssapi", "password", "none"],
    credentials: ALICE,
    hops: 8,
  };
  const offer = "send 0504010200e8";
  assert.deepEqual(ask(`05 00 ${REPLY}`, options).log.slice(0, 2), [offer, "method none"]);
  assert.deepEqual(ask(`05 02 01 00 ${REPLY}`, options).log.slice(0, 2), [offer, "method password"]);
  assert.deepEqual(ask("05 01", options).log.slice(0, 2), [offer, "init"]);
});

test("BIND: two replies, and data behind the second one", () => {
  const log = ["bound 192.0.2.9:40000", "relay 198.51.100.7:20"];
  const none = ask(`05 00 ${REPLY} ${SECOND_REPLY} ${DATA}`, { cmd: CMD.BIND, methods: ["none"] });
  assert.deepEqual(none.log.slice(-2), log);
  assert.equal(none.relayed.toString(), "data");
  const sealed = ask(
    `05 01 01 01 00 06 73 65 72 76 65 72 01 02 00 02 ee 02 ${REPLY} ${SECOND_REPLY} ${DATA}`,
    {
      cmd: CMD.BIND,
    },
  );
  assert.deepEqual(sealed.log.slice(-3), ["send 05020001c63364070050", ...log]);
  assert.equal(sealed.relayed.toString(), "data");
});

test("BIND waits between its replies", () => {
  const client = new FakeClient({ cmd: CMD.BIND, methods: ["none"] });
  client.start();
  client.octets(hex(`05 00 ${REPLY}`));
  assert.equal(client.machine.state, "second-reply");
  assert.equal(client.log.at(-1), "bound 192.0.2.9:40000");
  client.octets(hex(SECOND_REPLY));
  assert.equal(client.machine.state, "relaying");
});
