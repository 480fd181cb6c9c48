// SOCKS4 and 4a: requests from the authors' pictures, whole and octet by octet; replies; what is refused, and when.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Endpoint, formatEndpoint, parseHost } from "../../../src/protocol/address.js";
import { encodeSocks4Reply, socks4Refusal, takeSocks4Request } from "../../../src/protocol/socks4.js";
import { failsEveryWay, takeEveryWay } from "./every-way.js";
import { hex } from "./hex.js";

const USER = "61 6c 69 63 65 00"; // alice
const NAME = "64 62 2e 65 78 61 6d 70 6c 65 2e 74 65 73 74 00"; // db.example.test

const requests: readonly [what: string, octets: string, cmd: number, dst: string, user: string][] = [
  ["CONNECT", `04 01 00 50 c6 33 64 07 ${USER}`, 1, "198.51.100.7:80", "alice"],
  ["BIND", `04 02 00 15 c6 33 64 07 ${USER}`, 2, "198.51.100.7:21", "alice"],
  ["an empty USERID", "04 01 00 50 c6 33 64 07 00", 1, "198.51.100.7:80", ""],
  ["4a", `04 01 15 38 00 00 00 01 ${USER} ${NAME}`, 1, "db.example.test:5432", "alice"],
  ["4a, no USERID", `04 01 15 38 00 00 00 ff 00 ${NAME}`, 1, "db.example.test:5432", ""],
  [
    "4a, an address for a name",
    "04 01 00 50 00 00 00 01 00 31 30 2e 30 2e 30 2e 31 00",
    1,
    "10.0.0.1:80",
    "",
  ],
  ["DSTIP 0.0.0.0 is no 4a", `04 02 00 00 00 00 00 00 ${USER}`, 2, "0.0.0.0:0", "alice"],
  ["an unknown CD is the machine's to refuse", "04 07 00 50 c6 33 64 07 00", 7, "198.51.100.7:80", ""],
  ["a USERID in UTF-8", "04 01 00 50 c6 33 64 07 c3 a9 00", 1, "198.51.100.7:80", "é"],
];

for (const [what, octets, cmd, dst, user] of requests) {
  test(what, () => {
    const taken = takeEveryWay(takeSocks4Request, hex(octets));
    assert.deepEqual([taken.cmd, formatEndpoint(taken.dst), taken.user], [cmd, dst, user]);
  });
}

test("the longest USERID and name", () => {
  const head = hex("04 01 00 50 00 00 00 01");
  const octets = Buffer.concat([
    head,
    Buffer.alloc(512, "u"),
    Buffer.of(0),
    Buffer.alloc(255, "n"),
    Buffer.of(0),
  ]);
  const taken = takeEveryWay(takeSocks4Request, octets);
  assert.equal(taken.user.length, 512);
  assert.deepEqual(taken.dst.host, { kind: "domain", name: "n".repeat(255) });
});

test("what is too long, or no text, is refused as soon as it can be told", () => {
  const head = hex("04 01 00 50 00 00 00 01");
  const user = Buffer.concat([head, Buffer.alloc(513, "u")]);
  failsEveryWay(takeSocks4Request, user, user.length, { code: "BAD_USERID" });
  const name = Buffer.concat([head, Buffer.of(0), Buffer.alloc(256, "n")]);
  failsEveryWay(takeSocks4Request, name, name.length, { code: "BAD_DOMAIN_NAME" });
  const control = hex("04 01 00 50 c6 33 64 07 61 1b 00");
  failsEveryWay(takeSocks4Request, control, control.length, { code: "BAD_USERID" });
  const notUtf8 = hex("04 01 00 50 c6 33 64 07 ff 00");
  failsEveryWay(takeSocks4Request, notUtf8, notUtf8.length, { code: "BAD_USERID" });
  const empty = hex("04 01 00 50 00 00 00 01 00 00");
  failsEveryWay(takeSocks4Request, empty, empty.length, { code: "BAD_DOMAIN_NAME" });
  const space = hex("04 01 00 50 00 00 00 01 00 61 20 62 00");
  failsEveryWay(takeSocks4Request, space, space.length, { code: "BAD_DOMAIN_NAME" });
});

test("any text is taken as it was sent", () => {
  const text = fc.stringMatching(/^[a-z0-9._-]{0,60}$/);
  fc.assert(
    fc.property(text, fc.nat(0xffff), fc.ipV4(), (user, port, address) => {
      fc.pre(!/^0\.0\.0\.[1-9]/.test(address));
      const octets = Buffer.concat([
        Buffer.of(4, 1, port >> 8, port & 0xff, ...address.split(".").map(Number)),
        Buffer.from(`${user}\0`),
      ]);
      const taken = takeEveryWay(takeSocks4Request, octets);
      assert.deepEqual(taken, { cmd: 1, dst: { host: { kind: "ipv4", address }, port }, user });
    }),
  );
});

test("replies", () => {
  const at = (host: string, port: number): Endpoint => ({ host: parseHost(host), port });
  assert.deepEqual(encodeSocks4Reply(90, at("192.0.2.9", 40000)), hex("00 5a 9c 40 c0 00 02 09"));
  assert.deepEqual(encodeSocks4Reply(91), hex("00 5b 00 00 00 00 00 00"));
  assert.deepEqual(encodeSocks4Reply(90, at("2001:db8::1", 40000)), hex("00 5a 00 00 00 00 00 00"));
  const codes = ["IDENT_UNAVAILABLE", "IDENT_BUSY", "IDENT_MISMATCH", "IDENT_REFUSED", "RULE_DENIED"];
  assert.deepEqual(
    codes.map((code) => socks4Refusal({ code })),
    [92, 92, 93, 93, 91],
  );
});
