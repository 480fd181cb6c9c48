import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { test } from "node:test";
import { NO_TERMS } from "../../../src/policy/terms.js";
import { type RuleSpec, ruleset } from "./rules.js";

const CONTRACT: RuleSpec[] = [
  ["deny", "*.bank.test", "10.9.0.0/16"],
  ["allow", "127.0.0.0/8", "db.example.test:5432"],
  ["allow"],
];

test("the first rule that matches decides", () => {
  const rules = ruleset(CONTRACT);
  const table: [
    name: string | null,
    address: string,
    port: number,
    effect: string,
    rule: number | null,
    reason: string,
  ][] = [
    ["www.bank.test", "203.0.113.1", 443, "deny", 1, "rule 1 denies *.bank.test"],
    ["a.b.BANK.test.", "203.0.113.1", 443, "deny", 1, "rule 1 denies *.bank.test"],
    ["bank.test", "203.0.113.1", 443, "allow", 3, "rule 3 allows every destination"],
    ["notbank.test", "203.0.113.1", 443, "allow", 3, "rule 3 allows every destination"],
    [null, "10.9.8.7", 22, "deny", 1, "rule 1 denies 10.9.0.0/16"],
    [null, "::ffff:10.9.8.7", 22, "deny", 1, "rule 1 denies 10.9.0.0/16"],
    ["innocent.test", "10.9.8.7", 22, "deny", 1, "rule 1 denies 10.9.0.0/16"],
    [null, "64:ff9b::a09:807", 22, "deny", 1, "rule 1 denies 10.9.0.0/16"],
    [null, "127.0.0.1", 22, "allow", 2, "rule 2 allows 127.0.0.0/8"],
    ["db.example.test", "203.0.113.1", 5432, "allow", 2, "rule 2 allows db.example.test:5432"],
    ["db.example.test", "203.0.113.1", 5433, "allow", 3, "rule 3 allows every destination"],
    [null, "::1", 22, "deny", null, "protected destination: loopback; a rule's `to` must name it"],
    [null, "not an address", 22, "deny", null, 'not an IP address: "not an address"'],
    ["bad name", "203.0.113.1", 22, "deny", null, 'not a host name: "bad name"'],
  ];
  for (const [name, address, port, effect, rule, reason] of table) {
    const decision = rules.evaluate({ name, address, port });
    assert.deepEqual(
      [decision.effect, decision.rule, decision.reason],
      [effect, rule, reason],
      `${name} ${address} ${port}`,
    );
  }
});

test("no rules, no access", () => {
  assert.deepEqual(ruleset([]).evaluate({ name: null, address: "203.0.113.1", port: 80 }), {
    effect: "deny",
    rule: null,
    ruleText: null,
    reason: "no rule matches",
    terms: NO_TERMS,
  });
  assert.equal(ruleset([]).evaluateName({ name: "db.test", port: 80 }).effect, "deny");
});

test("a decision carries its rule's text, long lists cut short", () => {
  const many = Array.from({ length: 20 }, (_, index) => `192.0.2.${index}`);
  const rules = ruleset([["deny", ...many], ["allow"]]);
  const text = (address: string) => rules.evaluate({ name: null, address, port: 80 }).ruleText;
  const shown = many.slice(0, 8).join(", ");
  assert.equal(text("192.0.2.19"), `deny: { to: [${shown}, and 12 more] }`);
  assert.equal(text("203.0.113.1"), "allow: {}");
});

test("before DNS only what no address could change is denied", () => {
  const table: [rules: RuleSpec[], name: string, effect: string, rule: number | null][] = [
    [[["deny", "*.bank.test"], ["allow"]], "www.bank.test", "deny", 1],
    [[["deny", "*.bank.test"], ["allow"]], "bank.test", "resolve", null],
    [[["deny", "*.bank.test:443"], ["allow"]], "www.bank.test", "resolve", null],
    [[["deny", "*.bank.test:80"], ["allow"]], "www.bank.test", "deny", 1],
    [[["deny", "10.0.0.0/8"], ["allow"]], "db.test", "resolve", null],
    [[["deny", "<local>"], ["allow"]], "db", "deny", 1],
    [[["deny", "<local>"], ["allow"]], "db.test", "resolve", null],
    [
      [
        ["allow", "10.0.0.0/8"],
        ["deny", "db.test"],
      ],
      "db.test",
      "resolve",
      null,
    ],
    [
      [
        ["allow", "10.0.0.0/8:443"],
        ["deny", "db.test"],
      ],
      "db.test",
      "deny",
      2,
    ],
    [[["deny", "10.0.0.0/8"], ["deny", "db.test"], ["allow"]], "db.test", "deny", 2],
    [[["deny"], ["allow", "127.0.0.1"]], "db.test", "resolve", null],
    [[["deny"]], "db.test", "deny", null],
    [[["allow", "other.test"]], "db.test", "deny", null],
    [[["allow"]], "ba\\110k.test", "deny", null],
    [[["allow"]], "bänk.test", "deny", null],
  ];
  for (const [rules, name, effect, rule] of table) {
    const decision = ruleset(rules).evaluateName({ name, port: 80 });
    assert.deepEqual([decision.effect, decision.rule], [effect, rule], `${JSON.stringify(rules)} on ${name}`);
  }
});

test("of a name's addresses those allowed are left, or the first denial", () => {
  const rules = ruleset([["deny", "10.0.0.0/8"], ["allow"]]);
  const request = { name: "db.test", port: 80 };
  const some = rules.permitted(request, ["10.0.0.1", "203.0.113.1", "127.0.0.1", "2001:db8::1"]);
  assert.deepEqual(
    some.allowed.map(({ address, decision }) => [address, decision.rule]),
    [
      ["203.0.113.1", 2],
      ["2001:db8::1", 2],
    ],
  );
  assert.equal(some.denial, null);
  const none = rules.permitted(request, ["127.0.0.1", "10.0.0.1"]);
  assert.deepEqual(none.allowed, []);
  assert.match(none.denial?.reason ?? "", /protected destination: loopback/);
  assert.equal(rules.permitted(request, []).denial?.effect, "deny");
});

test("an address that getaddrinfo hides in a name is judged as that address", async () => {
  const rules = ruleset([["allow", "*.example.test"], ["allow"]]);
  for (const name of ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.1"]) {
    assert.equal(rules.evaluateName({ name, port: 80 }).effect, "resolve", name);
    const addresses = (await lookup(name, { all: true })).map(({ address }) => address);
    assert.deepEqual(addresses, ["127.0.0.1"], name);
    const { allowed, denial } = rules.permitted({ name, port: 80 }, addresses);
    assert.deepEqual(allowed, [], name);
    assert.match(denial?.reason ?? "", /^protected destination: loopback/, name);
  }
});
