// What holds whatever the rules are and whoever asks.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Conditions } from "../../../src/policy/conditions.js";
import { shadowed } from "../../../src/policy/coverage.js";
import { Rule } from "../../../src/policy/rule.js";
import { type AddressRequest, Ruleset, type Trace } from "../../../src/policy/ruleset.js";
import {
  address,
  conditions,
  isOwnListener,
  name,
  PUBLIC,
  request,
  rule,
  rules,
} from "./request-generators.js";

const RUNS = { numRuns: 1500 };

const of = (list: readonly Rule[]) => new Ruleset(list, isOwnListener);
const judge = (list: readonly Rule[], asked: AddressRequest) => of(list).evaluate(asked);

/** Alone, whether it matches. */
function matches(each: Rule, asked: AddressRequest): boolean {
  let is = "";
  of([each]).evaluate(asked, ({ match }) => {
    is = match.is;
  });
  return is === "yes";
}

test("a rule added below never changes what an earlier one decided", () => {
  let decided = 0;
  fc.assert(
    fc.property(rules, rules, request, (above, below, asked) => {
      const { reason, ...before } = judge(above, asked);
      if (before.rule === null) return;
      decided += 1;
      const { reason: after, ...rest } = judge([...above, ...below], asked);
      assert.deepEqual([rest, after], [before, reason]);
    }),
    RUNS,
  );
  assert.ok(decided > 150, `${decided} were decided`);
});

test("the first rule that matches by itself decides", () => {
  fc.assert(
    fc.property(rules, request, (list, asked) => {
      const first = list.findIndex((each) => matches(each, asked));
      assert.equal(judge(list, asked).rule, first === -1 ? null : first + 1);
    }),
    RUNS,
  );
});

test("what no rule allows is denied, and whoever is allowed has the level that the rule requires", () => {
  let allowed = 0;
  fc.assert(
    fc.property(rules, request, (list, asked) => {
      const { effect, rule: number, terms } = judge(list, asked);
      if (effect === "deny") return;
      allowed += 1;
      const by = list[(number ?? 0) - 1];
      assert.equal(by?.effect, "allow");
      const levels = ["none", "integrity", "confidentiality"];
      const { requireLevel } = terms;
      if (requireLevel !== null)
        assert.ok(levels.indexOf(asked.client.level) >= levels.indexOf(requireLevel));
    }),
    RUNS,
  );
  assert.ok(allowed > 60, `${allowed}`);
});

test("a rule's keys: more of them match less, and each alone matches what all do", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("allow" as const, "deny" as const),
      conditions,
      request,
      (effect, body, asked) => {
        // Without `to` a rule has a meaning of its own: every destination, but ...
        fc.pre(body.to !== undefined);
        const all = matches(new Rule(effect, body), asked);
        const each = Object.entries(body).map(([key, value]) => {
          const alone: Conditions = { to: body.to, method: body.method, [key]: value };
          return matches(new Rule(effect, alone), asked);
        });
        assert.equal(all, each.every(Boolean));
      },
    ),
    RUNS,
  );
});

test("a list matches what one of its entries does", () => {
  const lists = [
    "to",
    "principal",
    "realm",
    "user",
    "from",
    "listener",
    "tlsSubject",
    "mechanism",
    "group",
  ] as const;
  let met = 0;
  fc.assert(
    fc.property(
      fc.constantFrom("allow" as const, "deny" as const),
      conditions,
      request,
      (effect, body, asked) => {
        for (const key of lists) {
          const list = body[key] as readonly unknown[] | undefined;
          if (list === undefined) continue;
          const one = list.some((entry) => matches(new Rule(effect, { ...body, [key]: [entry] }), asked));
          assert.equal(matches(new Rule(effect, body), asked), one, key);
          met += 1;
        }
      },
    ),
    RUNS,
  );
  assert.ok(met > 500, `${met}`);
});

test("a key and its negation: one of them matches where all is known, never both", () => {
  let met = 0;
  fc.assert(
    fc.property(conditions, request, (body, asked) => {
      const known = { names: asked.client.groups.names, failure: null };
      const localName = { ...asked.client.localName, failure: null };
      const certain = {
        ...asked,
        client: { ...asked.client, groups: known, localName, method: "gssapi" as const },
      };
      for (const [key, value] of Object.entries(body)) {
        if (key === "to" || key === "method") continue;
        // Below a deny that has other keys, every destination.
        const positive = new Rule("deny", { [key]: value });
        const negative = new Rule("deny", { not: { [key]: value } });
        assert.notEqual(matches(positive, certain), matches(negative, certain), key);
        // Where something is not known, both keep out, and neither lets in.
        const to = [...PUBLIC].includes(asked.address) ? {} : { to: undefined };
        const lets = [
          new Rule("allow", { ...to, [key]: value }),
          new Rule("allow", { ...to, not: { [key]: value } }),
        ];
        assert.ok(!lets.every((each) => matches(each, asked)), key);
        assert.ok(matches(positive, asked) || matches(negative, asked), key);
        met += 1;
      }
    }),
    RUNS,
  );
  assert.ok(met > 500, `${met}`);
});

test("`not` of several keys is none of them", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("allow" as const, "deny" as const),
      conditions,
      conditions,
      request,
      (effect, body, not, asked) => {
        fc.pre(body.to !== undefined && Object.keys(not).length > 0);
        const all = matches(new Rule(effect, { ...body, not }), asked);
        const each = Object.entries(not).map(([key, value]) =>
          matches(new Rule(effect, { ...body, not: { [key]: value } }), asked),
        );
        assert.equal(all, each.every(Boolean));
      },
    ),
    RUNS,
  );
});

test("what is denied by name is denied on every address, and what a name alone allows leads elsewhere", () => {
  const seen = { deny: 0, allow: 0, resolve: 0 };
  fc.assert(
    fc.property(rules, request, name, address, (list, { address: _, ...asked }, name, address) => {
      const { effect, rule: number, terms } = of(list).evaluateName({ ...asked, name });
      seen[effect] += 1;
      const decision = judge(list, { ...asked, name, address });
      if (effect === "deny") assert.equal(decision.effect, "deny");
      if (effect !== "allow") return;
      assert.notEqual(terms.redirect, null);
      // But for a protected address, which it need not go to.
      if (PUBLIC.includes(address)) assert.equal(decision.rule, number);
    }),
    { numRuns: 3000 },
  );
  assert.ok(seen.deny > 300 && seen.resolve > 300 && seen.allow > 5, JSON.stringify(seen));
});

test("who is watched is judged the same, and what is told is why", () => {
  fc.assert(
    fc.property(rules, request, (list, asked) => {
      const steps: Parameters<Trace>[0][] = [];
      const decision = of(list).evaluate(asked, (step) => steps.push(step));
      assert.deepEqual(decision, judge(list, asked));
      assert.deepEqual(
        steps.map(({ number }) => number),
        list.slice(0, decision.rule ?? list.length).map((_, index) => index + 1),
      );
      for (const { match, rule, facts, number } of steps) {
        assert.equal(match.is, number === decision.rule ? "yes" : "no");
        assert.equal(rule.mismatches(facts).length > 0, match.is === "no", rule.text);
      }
    }),
    RUNS,
  );
});

test("a rule that is shadowed never decides", () => {
  let told = 0;
  fc.assert(
    fc.property(rules, request, fc.constantFrom(...PUBLIC), (list, asked, address) => {
      const found = shadowed(list, new Set([1080]));
      if (found.length === 0 || asked.client.method === "empty") return;
      told += 1;
      const { rule: decided } = judge(list, { ...asked, address });
      for (const { rule: number, by } of found) {
        assert.ok(by < number);
        assert.notEqual(decided, number, list.map(({ text }) => text).join("\n"));
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(told > 50, `${told}`);
});

test("a rule with itself below is shadowed", () => {
  fc.assert(
    fc.property(rule, (each) => {
      fc.pre(each.effect === "allow" || each.body.not?.to === undefined);
      assert.deepEqual(shadowed([each, each], new Set()), [{ rule: 2, by: 1 }], each.text);
    }),
    RUNS,
  );
});
