import assert from "node:assert/strict";
import { test } from "node:test";
import { ownListenerTest } from "../../../src/policy/protected-destinations.js";
import { ruleset } from "./rules.js";

/** A protected address, its kind, entries that name it and entries that match without naming it. */
const PROTECTED: [address: string, kind: string, naming: string[], notNaming: string[]][] = [
  [
    "127.0.0.1",
    "loopback",
    ["127.0.0.1", "127.0.0.1:80", "127.0.0.0/8", "127.0.0.0/30"],
    ["0.0.0.0/0", "126.0.0.0/7"],
  ],
  ["127.255.255.254", "loopback", ["127.255.255.254"], ["64.0.0.0/2"]],
  ["::ffff:127.0.0.1", "loopback", ["127.0.0.1", "::ffff:127.0.0.0/104"], ["::ffff:0:0/96"]],
  ["::1", "loopback", ["::1", "[::1]:80"], ["::/0", "::/64"]],
  ["169.254.169.254", "link-local", ["169.254.169.254", "169.254.0.0/16"], ["169.0.0.0/8"]],
  ["fe80::1%eth0", "link-local", ["fe80::/10", "fe80::1"], ["fe00::/8"]],
  ["fd00:ec2::254", "cloud metadata", ["fd00:ec2::254"], ["fd00::/8", "fd00:ec2::/32"]],
  ["224.0.0.251", "multicast", ["224.0.0.0/4", "224.0.0.251"], ["224.0.0.0/3"]],
  ["ff02::1", "multicast", ["ff00::/8"], ["fe00::/7"]],
  ["0.0.0.0", "unspecified", ["0.0.0.0", "0.0.0.0/8"], ["0.0.0.0/7"]],
  ["::", "unspecified", ["::"], ["::/0", "::/127"]],
  ["255.255.255.255", "broadcast", ["255.255.255.255"], ["240.0.0.0/4"]],
  // Translated by the network into 127.0.0.1, 169.254.169.254, 127.0.0.1 and 127.0.0.1.
  ["64:ff9b::7f00:1", "loopback", ["64:ff9b::7f00:1", "64:ff9b::7f00:0/104"], ["64:ff9b::/96", "::/0"]],
  ["2002:a9fe:a9fe::1", "link-local", ["2002:a9fe::/32"], ["2002::/16"]],
  ["::127.0.0.1", "loopback", ["::127.0.0.1"], ["::/96"]],
  ["::ffff:0:7f00:1", "loopback", ["::ffff:0:7f00:1"], ["::ffff:0:0:0/96"]],
];

test("only a rule whose `to` names a protected destination allows it", () => {
  for (const [address, kind, naming, notNaming] of PROTECTED) {
    const request = { name: "rebound.test", address, port: 80 };
    for (const entry of naming) {
      assert.equal(
        ruleset([["allow", entry]]).evaluate(request).effect,
        "allow",
        `${entry} names ${address}`,
      );
    }
    for (const to of [[], ["rebound.test"], ["*.test"], ...notNaming.map((entry) => [entry])]) {
      const decision = ruleset([["allow", ...to]]).evaluate(request);
      assert.equal(decision.effect, "deny", `${to} does not name ${address}`);
      assert.equal(decision.reason, `protected destination: ${kind}; a rule's \`to\` must name it`);
    }
  }
});

test("to deny, every match counts; without `to`, none on a protected destination", () => {
  for (const [address, , naming, notNaming] of PROTECTED) {
    const request = { name: "rebound.test", address, port: 80 };
    const allow = ["allow", naming[0] as string] as const;
    for (const entry of [...naming, ...notNaming, "rebound.test", "*.test"]) {
      assert.equal(ruleset([["deny", entry], allow]).evaluate(request).rule, 1, `${entry} denies ${address}`);
    }
    assert.equal(ruleset([["deny"], allow]).evaluate(request).rule, 2);
  }
});

test("a deny of an IPv4 network holds where a translator leads into it", () => {
  const rules = ruleset([["deny", "10.0.0.0/8"], ["allow"]]);
  for (const address of ["64:ff9b::a00:1", "2002:a00:1::", "::ffff:10.0.0.1"]) {
    assert.equal(rules.evaluate({ name: null, address, port: 80 }).effect, "deny", address);
  }
  assert.equal(rules.evaluate({ name: null, address: "64:ff9b::b00:1", port: 80 }).effect, "allow");
});

test("`localhost` names loopback for the name localhost, and nothing else", () => {
  const table: [name: string | null, address: string, port: number, effect: string][] = [
    ["localhost", "127.0.0.1", 80, "allow"],
    ["LOCALHOST.", "::1", 80, "allow"],
    ["localhost", "127.0.0.1", 81, "deny"],
    ["localhost", "169.254.169.254", 80, "deny"],
    ["rebound.test", "127.0.0.1", 80, "deny"],
    [null, "127.0.0.1", 80, "deny"],
  ];
  for (const [name, address, port, effect] of table) {
    const decision = ruleset([["allow", "localhost:80", "*.test"]]).evaluate({ name, address, port });
    assert.equal(decision.effect, effect, `${name} ${address} ${port}`);
  }
});

test("an own listener is named only by its address and its very port", () => {
  const isOwn = (address: string, port: number) => address === "127.0.0.1" && port === 1080;
  const table: [entry: string, effect: string][] = [
    ["127.0.0.1:1080", "allow"],
    ["[::ffff:127.0.0.1]:1080", "allow"],
    ["127.0.0.1", "deny"],
    ["127.0.0.1:1080-1081", "deny"],
    ["127.0.0.0/8:1080", "deny"],
    ["127.0.0.0/8", "deny"],
    ["localhost:1080", "deny"],
  ];
  for (const [entry, effect] of table) {
    const decision = ruleset([["allow", entry]], isOwn).evaluate({
      name: "localhost",
      address: "127.0.0.1",
      port: 1080,
    });
    assert.equal(decision.effect, effect, entry);
    if (effect === "deny") assert.match(decision.reason, /own listener/);
  }
  const other = ruleset([["allow", "127.0.0.0/8"]], isOwn);
  assert.equal(other.evaluate({ name: null, address: "127.0.0.1", port: 1081 }).effect, "allow");
});

test("which sockets are the proxy's own", () => {
  const listeners = [
    { address: "127.0.0.1", port: 1080 },
    { address: "::", port: 1081 },
    { address: "::ffff:192.0.2.1", port: 1082 },
  ];
  const isOwn = ownListenerTest(
    () => listeners,
    () => ["192.0.2.1", "2001:db8::1", "fe80::1%eth0"],
  );
  const table: [address: string, port: number, own: boolean][] = [
    ["127.0.0.1", 1080, true],
    ["127.0.0.2", 1080, false],
    ["127.0.0.1", 80, false],
    ["0.0.0.0", 1080, true],
    ["::", 1080, true],
    ["127.9.9.9", 1081, true],
    ["::1", 1081, true],
    ["192.0.2.1", 1081, true],
    ["2001:db8::1", 1081, true],
    ["fe80::1", 1081, true],
    ["203.0.113.1", 1081, false],
    ["192.0.2.1", 1082, true],
    ["2001:db8::1", 1082, false],
  ];
  for (const [address, port, own] of table) assert.equal(isOwn(address, port), own, `${address} ${port}`);
  listeners.push({ address: "127.0.0.2", port: 1080 });
  assert.equal(isOwn("127.0.0.2", 1080), true);
});
