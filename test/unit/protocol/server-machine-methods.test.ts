// The server machine beyond GSS-API and CONNECT: no authentication, user/password, SOCKS4, BIND, UDP ASSOCIATE; whole
// and byte by byte, and what a client is told where it fails.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PeerError } from "../../../src/errors.js";
import { FakeServer } from "./fake-server.js";
import { hex } from "./hex.js";
import { serve } from "./serve.js";

const NONE = "05 01 00";
const PASSWORD = "05 02 00 02";
const CREDENTIALS = "01 05 61 6c 69 63 65 06 73 65 63 72 65 74"; // alice, secret
const WRONG = "01 05 61 6c 69 63 65 05 67 75 65 73 73"; // alice, guess
const request = (cmd: string) => `05 ${cmd} 00 01 c6 33 64 07 00 50`;
const SOCKS4 = "04 01 00 50 c6 33 64 07 61 6c 69 63 65 00";
const DATA = "64 61 74 61";
const SUCCEEDED = "send 05000001c00002099c40";

test("no authentication", () => {
  const server = serve(`${NONE} ${request("01")} ${DATA}`, { methods: [0] });
  assert.deepEqual(server.log, [
    "methods 0, selected 0",
    "send 0500",
    "request 1 198.51.100.7:80",
    SUCCEEDED,
    "relay",
  ]);
  assert.equal(server.relayed.toString(), "data");
});

test("no authentication is not taken for another method's", () => {
  const server = serve(NONE, { methods: [1, 2] });
  assert.equal(server.refused?.error.code, "NO_ACCEPTABLE_METHOD");
  assert.deepEqual(server.takeSent(), hex("05 ff"));
});

test("user and password", () => {
  const server = serve(`${PASSWORD} ${CREDENTIALS} ${request("01")} ${DATA}`, { methods: [1, 2, 0] });
  assert.deepEqual(server.log, [
    "methods 0 2, selected 2",
    "send 0502",
    "verify alice secret",
    "send 0100",
    "request 1 198.51.100.7:80",
    SUCCEEDED,
    "relay",
  ]);
  assert.equal(server.relayed.toString(), "data");
});

test("a wrong password is told as RFC 1929 says, and the end follows; nothing behind it is looked at", () => {
  const server = serve(`${PASSWORD} ${WRONG} ${request("01")}`, { methods: [2, 0] });
  assert.deepEqual(server.log.slice(2), [
    "verify alice guess",
    "send 0101",
    "refuse BAD_PASSWORD in verifying",
  ]);
});

test("damaged credentials are told in the same way", () => {
  const server = serve(`${PASSWORD} 05 01`, { methods: [2] });
  assert.deepEqual(server.log.slice(2), ["send 0101", "refuse BAD_VERSION in credentials"]);
});

test("a client that ends while its password is verified is refused", () => {
  const server = new FakeServer({ methods: [2], hold: true });
  server.octets(hex(`${PASSWORD} ${CREDENTIALS}`));
  assert.deepEqual([server.machine.state, server.machine.waiting], ["verifying", true]);
  server.feed({ type: "ended" });
  assert.equal(server.refused?.error.code, "CLOSED_EARLY");
});

test("SOCKS4", () => {
  const server = serve(`${SOCKS4} ${DATA}`, { socks4: true });
  assert.deepEqual(server.log, ['request 1 198.51.100.7:80 as "alice"', "send 005a9c40c0000209", "relay"]);
  assert.equal(server.relayed.toString(), "data");
});

test("SOCKS4a, beside SOCKS5 on one port", () => {
  const server = serve("04 01 15 38 00 00 00 01 00 64 62 2e 74 65 73 74 00", { socks4: true });
  assert.equal(server.log[0], 'request 1 db.test:5432 as ""');
  assert.equal(
    serve(NONE, { socks4: true, methods: [0] })
      .takeSent()
      .toString("hex"),
    "0500",
  );
});

test("SOCKS4 where it is off", () => {
  const server = serve(SOCKS4);
  assert.deepEqual(server.log, ["refuse BAD_VERSION in method"]);
  assert.match(
    String(server.refused?.error.message),
    /SOCKS4, which is not taken here: `socks4` of a listener turns it on/,
  );
});

test("each refusal of SOCKS4 has its code", () => {
  const table: [code: string, sent: string][] = [
    ["RULE_DENIED", "00 5b 00 00 00 00 00 00"],
    ["IDENT_UNAVAILABLE", "00 5c 00 00 00 00 00 00"],
    ["IDENT_MISMATCH", "00 5d 00 00 00 00 00 00"],
    ["IDENT_REFUSED", "00 5d 00 00 00 00 00 00"],
  ];
  for (const [code, sent] of table) {
    const server = serve(SOCKS4, { socks4: true, rep: 1, code });
    assert.deepEqual(server.takeSent(), hex(sent));
    assert.equal(server.log.at(-1), `refuse ${code} in deciding`);
  }
});

test("a damaged SOCKS4 request, and a command it does not have", () => {
  for (const [octets, code] of [
    ["04 01 00 50 00 00 00 01 00 00", "BAD_DOMAIN_NAME"],
    ["04 03 00 50 c6 33 64 07 00", "COMMAND_UNSUPPORTED"],
  ] as const) {
    const server = serve(octets, { socks4: true });
    assert.deepEqual(server.log, ["send 005b000000000000", `refuse ${code} in socks4-request`]);
  }
});

test("BIND: two replies, data only behind the second", () => {
  const server = serve(`${NONE} ${request("02")} ${DATA}`, { methods: [0] });
  assert.deepEqual(server.log.slice(2), [
    "request 2 198.51.100.7:80",
    SUCCEEDED,
    "send 05000001c63364070014",
    "relay",
  ]);
  assert.equal(server.relayed.toString(), "data");
  const socks4 = serve("04 02 00 50 c6 33 64 07 00", { socks4: true });
  assert.deepEqual(socks4.log.slice(1), ["send 005a9c40c0000209", "send 005a0014c6336407", "relay"]);
});

test("BIND: no peer comes, or the client goes", () => {
  const bound = () => {
    const server = new FakeServer({ methods: [0], hold: true });
    server.octets(hex(`${NONE} ${request("02")}`));
    server.feed({ type: "replied", rep: 0 });
    assert.equal(server.machine.state, "binding");
    server.takeSent();
    return server;
  };
  const late = bound();
  late.feed({ type: "replied", rep: 6, error: new PeerError("BIND_TIMEOUT", "late", { rep: 6 }) });
  assert.deepEqual(late.takeSent(), hex("05 06 00 01 00 00 00 00 00 00"));
  assert.equal(late.log.at(-1), "refuse BIND_TIMEOUT in binding");
  const gone = bound();
  gone.feed({ type: "ended" });
  assert.equal(gone.log.at(-1), "refuse CLOSED_EARLY in binding");
  // Before the first reply, too: afterwards no end would come.
  const early = new FakeServer({ methods: [0], hold: true });
  early.octets(hex(`${NONE} ${request("02")} ${DATA}`));
  early.feed({ type: "ended" });
  assert.equal(early.log.at(-1), "refuse CLOSED_EARLY in deciding");
});

test("UDP ASSOCIATE: one reply, and nothing more is looked at", () => {
  const server = serve(`${NONE} ${request("03")}`, { methods: [0] });
  assert.deepEqual(server.log.slice(2), ["request 3 198.51.100.7:80", SUCCEEDED, "associate"]);
  assert.equal(server.machine.state, "relaying");
});
