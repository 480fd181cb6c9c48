import assert from "node:assert/strict";
import { test } from "node:test";
import { embeddedIpv4, IpNetwork, parseIp } from "../../../src/policy/ip-network.js";

test("only strict text forms are addresses", () => {
  const table: [string, string | null][] = [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0:0::1", "2001:db8::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["::192.0.2.1", "::c000:201"],
    ["2001:db8::192.0.2.1", "2001:db8::c000:201"],
    ["127.1", null],
    ["127.0.0.01", null],
    ["0177.0.0.1", null],
    ["0x7f.0.0.1", null],
    ["2130706433", null],
    ["256.0.0.1", null],
    ["::ffff:0127.0.0.1", null],
    ["::ffff:127.1", null],
    ["fe80::1%eth0", null],
    ["1::2::3", null],
    ["12345::", null],
    [" ::1", null],
    ["", null],
  ];
  for (const [text, expected] of table) assert.equal(parseIp(text)?.toString() ?? null, expected, text);
});

test("networks: what is in, and in which network they lie", () => {
  const table: [network: string, address: string, contains: boolean][] = [
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "203.0.113.9", false],
    ["::/0", "::ffff:203.0.113.9", false],
    ["::ffff:10.0.0.0/104", "10.1.2.3", true],
    ["::ffff:0:0/96", "10.1.2.3", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.6", false],
    ["2001:db8::/33", "2001:db8:8000::", false],
  ];
  for (const [network, address, contains] of table) {
    const parsed = parseIp(address);
    assert.ok(parsed);
    assert.equal(IpNetwork.parse(network).contains(parsed), contains, `${address} in ${network}`);
  }
  assert.equal(IpNetwork.parse("10.1.0.0/16").isWithin(IpNetwork.parse("10.0.0.0/8")), true);
  assert.equal(IpNetwork.parse("10.0.0.0/7").isWithin(IpNetwork.parse("10.0.0.0/8")), false);
  assert.equal(IpNetwork.parse("::/8").isWithin(IpNetwork.parse("0.0.0.0/8")), false);
});

test("what is wrong with a network is said", () => {
  const table: [string, RegExp][] = [
    ["10.1.2.3/8", /without host bits: 10\.0\.0\.0\/8, found "10\.1\.2\.3\/8"/],
    ["::ffff:10.1.2.3/104", /without host bits: 10\.0\.0\.0\/8/],
    ["10.0.0.0/33", /prefix length from 0 to 32/],
    ["::/129", /prefix length from 0 to 128/],
    ["10.0.0.0/", /prefix length/],
    ["10.0.0.0/8/8", /IP address or a network/],
    ["10.0.0.0/255.0.0.0", /prefix length/],
    ["010.0.0.0/8", /IP address or a network/],
  ];
  for (const [text, message] of table) assert.throws(() => IpNetwork.parse(text), message, text);
});

test("the IPv4 address inside an IPv6 one", () => {
  const table: [string, string | null][] = [
    ["64:ff9b::7f00:1", "127.0.0.1"],
    ["2002:a9fe:a9fe::1", "169.254.169.254"],
    ["::10.0.0.1", "10.0.0.1"],
    ["::ffff:0:10.0.0.1", "10.0.0.1"],
    ["::", null],
    ["::1", null],
    ["2001:db8::7f00:1", null],
    ["127.0.0.1", null],
  ];
  for (const [text, expected] of table) {
    const address = parseIp(text);
    assert.ok(address);
    assert.equal(embeddedIpv4(address)?.toString() ?? null, expected, text);
  }
});
