// Rules that ask how the client was authenticated: what they match, what they say, and what holds whatever the rules are.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AUTH_METHODS, type AuthMethodName } from "../../../src/policy/auth-methods.js";
import { parseDestinationPattern } from "../../../src/policy/destination-pattern.js";
import { type Effect, Rule } from "../../../src/policy/rule.js";
import { Ruleset } from "../../../src/policy/ruleset.js";
import { asking } from "./client.js";

interface Spec {
  effect: Effect;
  to?: string[] | undefined;
  method?: AuthMethodName[] | undefined;
}

function rulesetOf(specs: readonly Spec[]): Ruleset {
  const rules = specs.map(
    ({ effect, to, method }) => new Rule(effect, { to: to?.map(parseDestinationPattern), method }),
  );
  return new Ruleset(rules, () => false);
}

const EVERY = "rule 2 allows every destination";
const HINT = "no rule matches; a client without a user name needs a rule whose `method` names `empty`";

test("a rule with method matches the methods it names, and no rule without it lets `empty` in", () => {
  const rules = rulesetOf([
    { effect: "deny", to: ["10.0.0.0/8"], method: ["password", "asserted"] },
    { effect: "allow" },
    { effect: "allow", to: ["127.0.0.1"], method: ["empty", "none"] },
  ]);
  const table: [address: string, method: AuthMethodName, rule: number | null, reason: string][] = [
    ["10.9.8.7", "password", 1, "rule 1 denies 10.0.0.0/8, method password"],
    ["10.9.8.7", "asserted", 1, "rule 1 denies 10.0.0.0/8, method asserted"],
    ["10.9.8.7", "gssapi", 2, EVERY],
    ["10.9.8.7", "none", 2, EVERY],
    ["10.9.8.7", "empty", null, HINT],
    ["203.0.113.1", "password", 2, EVERY],
    ["203.0.113.1", "empty", null, HINT],
    ["127.0.0.1", "empty", 3, "rule 3 allows 127.0.0.1, method empty"],
    ["127.0.0.1", "none", 3, "rule 3 allows 127.0.0.1, method none"],
    ["::1", "empty", null, `${HINT}; protected destination: loopback; a rule's \`to\` must name it`],
    ["127.0.0.1", "gssapi", null, "protected destination: loopback; a rule's `to` must name it"],
  ];
  for (const [address, method, rule, reason] of table) {
    const decision = rules.evaluate({ name: null, address, port: 80, ...asking({ method }) });
    assert.deepEqual([decision.rule, decision.reason], [rule, reason], `${method} to ${address}`);
    assert.equal(decision.effect, rule === null || rule === 1 ? "deny" : "allow");
  }
});

test("a decision carries the methods of its rule", () => {
  const rules = rulesetOf([
    { effect: "deny", method: ["asserted"] },
    { effect: "allow", to: ["*.test:80"], method: ["gssapi", "ident"] },
  ]);
  const text = (method: AuthMethodName) =>
    rules.evaluate({ name: "a.test", address: "203.0.113.1", port: 80, ...asking({ method }) }).ruleText;
  assert.equal(text("asserted"), "deny: { method: [asserted] }");
  assert.equal(text("ident"), "allow: { to: [*.test:80], method: [gssapi, ident] }");
  assert.equal(text("password"), null);
});

test("before DNS a method no rule lets in is denied: no query leaves", () => {
  const table: [specs: Spec[], method: AuthMethodName, effect: string][] = [
    [[{ effect: "allow", method: ["gssapi"] }], "gssapi", "resolve"],
    [[{ effect: "allow", method: ["gssapi"] }], "password", "deny"],
    [[{ effect: "allow", to: ["10.0.0.0/8"], method: ["gssapi"] }], "password", "deny"],
    [[{ effect: "allow" }], "empty", "deny"],
    [[{ effect: "allow", method: ["empty"] }], "empty", "resolve"],
    [[{ effect: "deny", to: ["a.test"], method: ["none"] }, { effect: "allow" }], "none", "deny"],
    [[{ effect: "deny", to: ["a.test"], method: ["none"] }, { effect: "allow" }], "gssapi", "resolve"],
  ];
  for (const [specs, method, effect] of table) {
    const decision = rulesetOf(specs).evaluateName({ name: "a.test", port: 80, ...asking({ method }) });
    assert.equal(decision.effect, effect, `${JSON.stringify(specs)} for ${method}`);
  }
});

// Small universes, so that rules and requests meet often.
const method = fc.constantFrom(...AUTH_METHODS);
const address = fc.constantFrom("203.0.113.1", "198.51.100.7", "2001:db8::1", "127.0.0.1");
const name = fc.constantFrom("a.test", "b.a.test");
const to = fc.subarray(["203.0.113.0/24", "198.51.100.7", "::/0", "*.test", "a.test", "127.0.0.1"], {
  minLength: 1,
});
const spec: fc.Arbitrary<Spec> = fc.record({
  effect: fc.constantFrom("allow", "deny"),
  to: fc.option(to, { nil: undefined }),
  method: fc.option(fc.subarray([...AUTH_METHODS], { minLength: 1 }), { nil: undefined }),
});
const specs = fc.array(spec, { maxLength: 5 });
const RUNS = { numRuns: 3000 };

test("a deny without method holds for every method", () => {
  let held = 0;
  fc.assert(
    fc.property(specs, to, specs, fc.option(name), address, (before, to, after, name, address) => {
      // What the deny matches when it stands alone ...
      const deny: Spec = { effect: "deny", to };
      const alone = rulesetOf([deny]).evaluate({ name, address, port: 80, ...asking({ method: "gssapi" }) });
      if (alone.rule === null) return;
      const byName = (rules: Spec[], method: AuthMethodName) =>
        name === null
          ? null
          : rulesetOf(rules).evaluateName({ name, port: 80, ...asking({ method }) }).effect;
      for (const method of AUTH_METHODS) {
        // ... is denied to everybody whom no rule before it lets in, whatever stands behind it.
        const rules = rulesetOf([...before, deny, ...after]);
        const { effect, rule } = rules.evaluate({ name, address, port: 80, ...asking({ method }) });
        if (effect === "allow") assert.ok((rule as number) <= before.length, `rule ${rule}`);
        assert.equal(
          rulesetOf([deny, ...after]).evaluate({ name, address, port: 80, ...asking({ method }) }).rule,
          1,
        );
        if (byName([deny], "gssapi") === "deny" && byName([deny, { effect: "allow" }], "gssapi") === "deny")
          assert.equal(byName([deny, ...after], method), "deny");
        held += 1;
      }
    }),
    RUNS,
  );
  assert.ok(held > 3000, `${held} denials held`);
});

test("`empty` is allowed only by a rule that names it", () => {
  let allowed = 0;
  fc.assert(
    fc.property(specs, fc.option(name), address, (specs, name, address) => {
      const { effect, rule } = rulesetOf(specs).evaluate({
        name,
        address,
        port: 80,
        ...asking({ method: "empty" }),
      });
      if (effect === "deny") return;
      allowed += 1;
      assert.ok(specs[(rule as number) - 1]?.method?.includes("empty"), `rule ${rule}`);
    }),
    RUNS,
  );
  assert.ok(allowed > 100, `${allowed} were allowed`);
  fc.assert(
    fc.property(specs, name, address, (specs, name, address) => {
      const unnamed = specs.map((spec) => ({
        ...spec,
        method: spec.method?.filter((each) => each !== "empty"),
      }));
      const rules = rulesetOf(unnamed.filter(({ method }) => method?.length !== 0));
      assert.equal(
        rules.evaluate({ name, address, port: 80, ...asking({ method: "empty" }) }).effect,
        "deny",
      );
      assert.equal(rules.evaluateName({ name, port: 80, ...asking({ method: "empty" }) }).effect, "deny");
    }),
    RUNS,
  );
});

test("the rule that decides is the first of those for the client's method", () => {
  const deciding = new Set<number | null>();
  fc.assert(
    fc.property(specs, fc.option(name), address, method, (specs, name, address, method) => {
      const decision = rulesetOf(specs).evaluate({ name, address, port: 80, ...asking({ method }) });
      // The same rules without their methods, where only those are left that are meant for this one.
      const left = [...specs.entries()].filter(([, spec]) =>
        spec.method === undefined
          ? spec.effect === "deny" || method !== "empty"
          : spec.method.includes(method),
      );
      // A deny of methods alone means every destination.
      const everywhere = ({ effect, to, method }: Spec) =>
        effect === "deny" && method !== undefined ? (to ?? ["0.0.0.0/0", "::/0"]) : to;
      const plain = rulesetOf(left.map(([, spec]) => ({ effect: spec.effect, to: everywhere(spec) })));
      const expected = plain.evaluate({ name, address, port: 80, ...asking({ method: "gssapi" }) });
      const rule = expected.rule === null ? null : (left[expected.rule - 1]?.[0] as number) + 1;
      assert.deepEqual([decision.effect, decision.rule], [expected.effect, rule]);
      deciding.add(rule);
    }),
    RUNS,
  );
  assert.ok(deciding.size > 4, `several rules decide: ${[...deciding]}`);
});

test("who is denied by name is denied on every address, whatever the method", () => {
  let denied = 0;
  fc.assert(
    fc.property(specs, name, address, method, (specs, name, address, method) => {
      const rules = rulesetOf(specs);
      const byName = rules.evaluateName({ name, port: 80, ...asking({ method }) }).effect;
      const { effect } = rules.evaluate({ name, address, port: 80, ...asking({ method }) });
      if (byName === "deny") assert.equal(effect, "deny");
      if (byName === "deny") denied += 1;
    }),
    RUNS,
  );
  assert.ok(denied > 300, `${denied} names were denied`);
});

test("a deny of methods alone holds at protected destinations too, and before any look-up", () => {
  const rules = rulesetOf([
    { effect: "deny", method: ["asserted"] },
    { effect: "allow", to: ["127.0.0.0/8", "localhost"] },
  ]);
  const loopback = { name: null, address: "127.0.0.1", port: 80 };
  assert.equal(rules.evaluate({ ...loopback, ...asking({ method: "asserted" }) }).rule, 1);
  assert.equal(rules.evaluate({ ...loopback, ...asking({ method: "gssapi" }) }).rule, 2);
  assert.equal(
    rules.evaluateName({ name: "localhost", port: 80, ...asking({ method: "asserted" }) }).effect,
    "deny",
  );
  assert.equal(
    rules.evaluateName({ name: "localhost", port: 80, ...asking({ method: "gssapi" }) }).effect,
    "resolve",
  );
});
