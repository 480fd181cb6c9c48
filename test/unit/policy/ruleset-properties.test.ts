/** Rules against a model that knows nothing of our code: node:net's BlockList for networks, plain string tests for names. */
import assert from "node:assert/strict";
import { BlockList, isIPv4 } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { type RuleSpec, ruleset } from "./rules.js";

// Small universes, so that entries and requests meet often.
const name = fc.constantFrom("a.test", "b.a.test", "c.b.a.test", "ba.test", "localhost", "127.1");
const publicAddress = fc.constantFrom(
  "203.0.113.1",
  "203.0.113.129",
  "198.51.100.7",
  "2001:db8::1",
  "2001:db8:8000::1",
  "64:ff9b::cb00:7101",
);
const port = fc.constantFrom(22, 80, 443);
const ports = fc.constantFrom("", ":80", ":1-79", ":22-443");

const namePattern = fc
  .tuple(fc.constantFrom("a.test", "B.a.test.", "*.a.test", "*.test", "localhost"), ports)
  .map(([host, at]) => host + at);
const broadNetwork = fc
  .tuple(
    fc.constantFrom(
      "0.0.0.0/0",
      "128.0.0.0/1",
      "203.0.113.0/24",
      "203.0.113.128/25",
      "198.51.100.7",
      "::/0",
      "2001:db8::/32",
      "2001:db8:8000::/33",
    ),
    ports,
  )
  .map(([host, at]) => (at !== "" && host.includes("::") ? `[${host}]${at}` : host + at));
const namingEntry = fc.constantFrom(
  "127.0.0.0/8",
  "127.0.0.1:80",
  "::1",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "0.0.0.0/8",
  "fe80::/10",
);

function rulesOf(entry: fc.Arbitrary<string>): fc.Arbitrary<RuleSpec[]> {
  const rule = fc
    .tuple(fc.constantFrom("allow" as const, "deny" as const), fc.array(entry, { maxLength: 3 }))
    .map(([effect, to]): RuleSpec => [effect, ...to]);
  return fc.array(rule, { maxLength: 5 });
}

const unnamed = rulesOf(fc.oneof(namePattern, broadNetwork));
const any = rulesOf(fc.oneof(namePattern, broadNetwork, namingEntry));

/** Octets of a protected range with its host bits filled at random, as text. */
const protectedAddress = fc
  .tuple(
    fc.constantFrom("7f", "a9fe", "e0", "ef", "00", "ffffffff", "a9fea9fe"),
    fc.constantFrom("", "::ffff:", "64:ff9b::", "::ffff:0:"),
    fc.stringMatching(/^[0-9a-f]{8}$/),
  )
  .map(([prefix, wrapping, fill]) => {
    const hex = (prefix + fill).slice(0, 8);
    if (wrapping !== "") return `${wrapping}${hex.slice(0, 4)}:${hex.slice(4)}`;
    return [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
  });
const anyProtected = fc.oneof(
  protectedAddress,
  fc.constantFrom("::", "::1", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254"),
);

test("the first match decides, as in the model", () => {
  const effects = new Set<string>();
  fc.assert(
    fc.property(unnamed, fc.option(name), publicAddress, port, (specs, name, address, port) => {
      const decision = ruleset(specs).evaluate({ name, address, port });
      const expected = specs.findIndex((spec) => modelMatches(spec, name, address, port));
      assert.equal(decision.rule, expected === -1 ? null : expected + 1);
      assert.equal(decision.effect, specs[expected]?.[0] ?? "deny");
      effects.add(`${decision.effect} ${decision.rule}`);
    }),
    { numRuns: 3000 },
  );
  assert.ok(effects.size > 5, `the requests meet several rules: ${[...effects]}`);
});

test("no protected address is allowed by rules that do not name it", () => {
  fc.assert(
    fc.property(unnamed, fc.option(name), anyProtected, port, (specs, name, address, port) => {
      fc.pre(name !== "localhost");
      assert.equal(ruleset([...specs, ["allow"]]).evaluate({ name, address, port }).effect, "deny");
    }),
    { numRuns: 3000 },
  );
});

test("what is denied by name is denied on every address", () => {
  let denied = 0;
  fc.assert(
    fc.property(any, name, fc.oneof(publicAddress, anyProtected), port, (specs, name, address, port) => {
      const rules = ruleset(specs);
      if (rules.evaluateName({ name, port }).effect !== "deny") return;
      denied += 1;
      assert.equal(rules.evaluate({ name, address, port }).effect, "deny");
    }),
    { numRuns: 3000 },
  );
  assert.ok(denied > 300, `${denied} names were denied`);
});

test("a name that is allowed on some address was not denied before", () => {
  fc.assert(
    fc.property(any, name, fc.oneof(publicAddress, anyProtected), port, (specs, name, address, port) => {
      const rules = ruleset(specs);
      if (rules.evaluate({ name, address, port }).effect === "allow") {
        assert.equal(rules.evaluateName({ name, port }).effect, "resolve");
      }
    }),
    { numRuns: 3000 },
  );
});

function modelMatches(
  [effect, ...to]: RuleSpec,
  name: string | null,
  address: string,
  port: number,
): boolean {
  return to.length === 0 || to.some((entry) => modelEntry(entry, effect, name, address, port));
}

function modelEntry(
  entry: string,
  effect: string,
  name: string | null,
  address: string,
  port: number,
): boolean {
  const unbracketed = entry.replace(/[[\]]/g, "");
  const bare = entry.includes("::") && !entry.startsWith("[");
  const at = bare ? -1 : entry.startsWith("[") ? unbracketed.lastIndexOf(":") : unbracketed.indexOf(":");
  const host = at === -1 ? entry : unbracketed.slice(0, at);
  const range = at === -1 ? "1-65535" : unbracketed.slice(at + 1);
  const [low = 0, high = low] = range.split("-").map(Number);
  if (port < low || port > high) return false;
  if (/[a-z]{2}/i.test(host.replace("db8", ""))) {
    const wanted = host.toLowerCase().replace(/\.$/, "");
    return wanted.startsWith("*") ? `${name}`.endsWith(wanted.slice(1)) : name === wanted;
  }
  // 64:ff9b::cb00:7101 is 203.0.113.1 behind NAT64: a deny sees both.
  const addresses =
    address.startsWith("64:ff9b::") && effect === "deny" ? [address, "203.0.113.1"] : [address];
  const list = new BlockList();
  const [base = "", prefix = isIPv4(base) ? "32" : "128"] = host.split("/");
  list.addSubnet(base, Number(prefix), isIPv4(base) ? "ipv4" : "ipv6");
  return addresses.some(
    (each) => isIPv4(each) === isIPv4(base) && list.check(each, isIPv4(each) ? "ipv4" : "ipv6"),
  );
}
