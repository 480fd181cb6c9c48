import assert from "node:assert/strict";
import { test } from "node:test";
import { parseName } from "../../../src/policy/destination-name.js";
import { type DestinationPattern, parseDestinationPattern } from "../../../src/policy/destination-pattern.js";

test("entries of `to`", () => {
  const table: [text: string, what: string, ports?: [number, number]][] = [
    ["192.0.2.1", "network 192.0.2.1"],
    ["192.0.2.1:80", "network 192.0.2.1", [80, 80]],
    ["10.0.0.0/8:1-1023", "network 10.0.0.0/8", [1, 1023]],
    ["::1", "network ::1"],
    ["2001:db8::/32", "network 2001:db8::/32"],
    ["[::1]", "network ::1"],
    ["[::1]:80", "network ::1", [80, 80]],
    ["[2001:db8::/32]:443", "network 2001:db8::/32", [443, 443]],
    ["[::ffff:10.0.0.0/104]:1-65535", "network 10.0.0.0/8", [1, 65535]],
    ["DB.Example.Test.:5432", "name db.example.test", [5432, 5432]],
    ["localhost", "name localhost"],
    ["_ldap._tcp.example.test", "name _ldap._tcp.example.test"],
    ["xn--bnk-sla.test", "name xn--bnk-sla.test"],
    ["*.Bank.test", "suffix .bank.test"],
    ["*.test.:8000-8080", "suffix .test", [8000, 8080]],
    ["protected", "protected every kind"],
    ["Loopback:80", "protected loopback", [80, 80]],
    ["own-listeners", "protected own listener"],
    ["cloud-metadata", "protected cloud metadata"],
    ["<local>", "local names without a dot"],
    ["<LOCAL>:80", "local names without a dot", [80, 80]],
    // A host of that name.
    ["loopback.", "name loopback"],
  ];
  for (const [text, expected, ports] of table) {
    const entry = parseDestinationPattern(text);
    const value = what(entry);
    assert.equal(`${entry.kind} ${value}`, expected, text);
    assert.deepEqual(entry.ports, ports === undefined ? null : { low: ports[0], high: ports[1] }, text);
    assert.equal(entry.text, text);
  }
});

function what(entry: DestinationPattern): string {
  switch (entry.kind) {
    case "network":
      return String(entry.network);
    case "name":
      return entry.name;
    case "suffix":
      return entry.suffix;
    case "local":
      return "names without a dot";
    case "protected":
      return entry.of ?? "every kind";
  }
}

test("what is wrong with an entry is said", () => {
  const table: [string, RegExp][] = [
    ["", /an address, a network, a name or \*\.suffix.*found ""/],
    ["*", /leave `to` out to match every destination/],
    ["*.", /found "\*\."/],
    ["*.*.test", /a \* only as the whole first label/],
    ["db*.test", /a \* only as the whole first label/],
    ["bänk.test", /xn-- form/],
    ["*.bänk.test:80", /xn-- form/],
    ["two words", /an address, a network, a name/],
    ["a..test", /an address, a network, a name/],
    [`${"a".repeat(64)}.test`, /an address, a network, a name/],
    ["127.1", /four decimal numbers, found "127\.1"/],
    ["0x7f000001", /four decimal numbers/],
    ["2130706433:80", /four decimal numbers/],
    ["*.1", /four decimal numbers/],
    ["256.0.0.1", /IP address or a network/],
    ["0177.0.0.1", /IP address or a network/],
    ["10.0.0.0/8:0", /port from 1 to 65535.*"0"/],
    ["db.test:65536", /port from 1 to 65535/],
    ["db.test:80-79", /port from 1 to 65535/],
    ["db.test:", /port from 1 to 65535/],
    ["db.test:http", /port from 1 to 65535/],
    ["[192.0.2.1]:80", /IPv6 address in brackets/],
    ["[::1]80", /IP address or a network/],
    ["[::1", /IP address or a network/],
    ["https://db.test", /port from 1 to 65535/],
    ["fe80::1%eth0", /IP address or a network/],
  ];
  for (const [text, message] of table) assert.throws(() => parseDestinationPattern(text), message, text);
});

test("names that no rule could have seen as the resolver sees them are no names", () => {
  assert.equal(parseName("Db.EXAMPLE.test."), "db.example.test");
  const refused = [
    "",
    ".",
    "a..b",
    "a.test..",
    ".a",
    "ban\u212A.test",
    "ｂank.test",
    "ba\\110k.test",
    "a b",
    "a%b",
    "::1",
    "a\0b",
    "a\n",
  ];
  for (const text of refused) assert.equal(parseName(text), null, JSON.stringify(text));
});
