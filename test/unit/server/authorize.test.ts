import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDestinationPattern } from "../../../src/policy/destination-pattern.js";
import { Rule } from "../../../src/policy/rule.js";
import { Ruleset } from "../../../src/policy/ruleset.js";
import { Resolver } from "../../../src/relay/resolver.js";
import { authorize, DeniedError } from "../../../src/server/authorize.js";
import { asking as someone } from "../policy/client.js";

const to = (...patterns: string[]) => ({ to: patterns.map(parseDestinationPattern) });
const allow = (...patterns: string[]) => new Rule("allow", to(...patterns));
const deny = (...patterns: string[]) => new Rule("deny", to(...patterns));

/** Asks for db.example.test, of which the DNS says at each look-up what comes next. */
function asking(...answers: string[][]) {
  const lookUps = { count: 0 };
  const resolver = new Resolver({
    lookUp: async () => answers[lookUps.count++] ?? [],
    clock: () => 0,
  });
  const ask = async (port: number, ...rules: Rule[]) => {
    const dst = { host: { kind: "domain", name: "db.example.test" }, port } as const;
    const ruleset = new Ruleset(rules, () => false);
    const authorized = await authorize(ruleset, dst, someone(), (name) => resolver.resolve(name, "alice"));
    return [...authorized.addresses.keys()];
  };
  return { ask, lookUps };
}

test("an answer that was kept is judged like any other: by port, by rule, by the rules of now", async () => {
  const { ask, lookUps } = asking(["192.0.2.1", "10.0.0.1"]);
  const rules = [deny("10.0.0.0/8:5432"), allow("db.example.test")];
  assert.deepEqual(await ask(443, ...rules), ["192.0.2.1", "10.0.0.1"]);
  assert.deepEqual(await ask(5432, ...rules), ["192.0.2.1"]);
  await assert.rejects(ask(443, deny("192.0.2.0/24", "10.0.0.0/8"), ...rules), DeniedError);
  assert.equal(lookUps.count, 1);
});

test("no kept answer leads to a protected destination", async () => {
  const { ask, lookUps } = asking(["127.0.0.1"]);
  await assert.rejects(ask(80, allow("db.example.test")), DeniedError);
  assert.deepEqual(await ask(80, allow("127.0.0.0/8")), ["127.0.0.1"]);
  await assert.rejects(ask(80, allow("db.example.test")), DeniedError);
  assert.equal(lookUps.count, 1);
});

test("a name that is denied is looked up by nobody", async () => {
  const { ask, lookUps } = asking(["192.0.2.1"]);
  await assert.rejects(ask(80, deny("db.example.test"), allow()), DeniedError);
  assert.equal(lookUps.count, 0);
});
