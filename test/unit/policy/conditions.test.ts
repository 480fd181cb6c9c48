// Each key of a rule by itself: what it matches, what its negation does, what it says of itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Conditions } from "../../../src/policy/conditions.js";
import { CONDITION_KEYS } from "../../../src/policy/conditions.js";
import { parseDestinationPattern } from "../../../src/policy/destination-pattern.js";
import type { Client, PolicyRequest } from "../../../src/policy/facts.js";
import { IpNetwork, parseIp } from "../../../src/policy/ip-network.js";
import { parsePrincipal, parsePrincipalPattern } from "../../../src/policy/principal.js";
import { Rule } from "../../../src/policy/rule.js";
import { Ruleset } from "../../../src/policy/ruleset.js";
import { parseHours, TimeWindow, TimeZone } from "../../../src/policy/time-window.js";
import { parseSubjectPattern } from "../../../src/policy/tls-subject.js";
import { asking } from "./client.js";

const DESTINATION = { name: null, address: "203.0.113.1", port: 80 };

interface Row {
  conditions: Conditions;
  text: string;
  client?: Partial<Client>;
  request?: Partial<PolicyRequest & { address: string }>;
  is: boolean;
  /** Part of what explains a mismatch. */
  found?: RegExp;
}

const alice = parsePrincipal("alice@EXAMPLE.TEST");
const principal = [parsePrincipalPattern("*@EXAMPLE.TEST"), parsePrincipalPattern("host/*@EXAMPLE.TEST")];
const tlsSubject = [
  parseSubjectPattern("CN=alice, O=Example"),
  parseSubjectPattern("*, OU=Machines, O=Example"),
];
const lunch = new TimeWindow({
  hours: parseHours("12:00-13:00"),
  zone: new TimeZone("UTC"),
  text: "{ hours: 12:00-13:00, timeZone: UTC }",
});
const groups = (names: string[], failure: string | null = null) => ({ names: new Set(names), failure });

const TABLE: readonly Row[] = [
  { conditions: { to: [parseDestinationPattern("203.0.113.0/24")] }, text: "to: [203.0.113.0/24]", is: true },
  {
    conditions: { to: [parseDestinationPattern("loopback")] },
    text: "to: [loopback]",
    request: { address: "127.0.0.1" },
    is: true,
  },
  {
    conditions: { to: [parseDestinationPattern("loopback")] },
    text: "to: [loopback]",
    is: false,
    found: /the destination is 203\.0\.113\.1 port 80$/,
  },
  { conditions: { method: ["password", "gssapi"] }, text: "method: [password, gssapi]", is: true },
  {
    conditions: { method: ["password"] },
    text: "method: [password]",
    is: false,
    found: /the method is gssapi$/,
  },
  { conditions: { mechanism: ["krb5"] }, text: "mechanism: [krb5]", client: { mechanism: "krb5" }, is: true },
  {
    conditions: { mechanism: ["krb5"] },
    text: "mechanism: [krb5]",
    is: false,
    found: /no GSS-API mechanism$/,
  },
  {
    conditions: { principal },
    text: "principal: [*@EXAMPLE.TEST, host/*@EXAMPLE.TEST]",
    client: { principal: alice },
    is: true,
  },
  {
    conditions: { principal },
    text: "principal: [*@EXAMPLE.TEST, host/*@EXAMPLE.TEST]",
    client: { principal: parsePrincipal("a/b@EXAMPLE.TEST") },
    is: false,
    found: /the principal is a\/b@EXAMPLE\.TEST$/,
  },
  {
    conditions: { principal },
    text: "principal: [*@EXAMPLE.TEST, host/*@EXAMPLE.TEST]",
    client: { user: "alice@EXAMPLE.TEST" },
    is: false,
    found: /no Kerberos principal$/,
  },
  {
    conditions: { realm: ["EXAMPLE.TEST"] },
    text: "realm: [EXAMPLE.TEST]",
    client: { principal: parsePrincipal("a/b@EXAMPLE.TEST") },
    is: true,
  },
  {
    conditions: { realm: ["EXAMPLE.TEST"] },
    text: "realm: [EXAMPLE.TEST]",
    client: { principal: parsePrincipal("a@OTHER.TEST") },
    is: false,
  },
  {
    conditions: { localName: ["alice"] },
    text: "localName: [alice]",
    client: { localName: { name: "alice", failure: null } },
    is: true,
  },
  {
    conditions: { localName: ["alice"] },
    text: "localName: [alice]",
    client: { principal: alice, user: "alice" },
    is: false,
    found: /the client has no local name$/,
  },
  {
    conditions: { group: ["staff", "admins"] },
    text: "group: [staff, admins]",
    client: { groups: groups(["admins"]) },
    is: true,
  },
  {
    conditions: { group: ["staff"] },
    text: "group: [staff]",
    client: { groups: groups(["admins"]) },
    is: false,
    found: /the client's groups are admins$/,
  },
  { conditions: { user: ["alice"] }, text: "user: [alice]", client: { user: "alice" }, is: true },
  {
    conditions: { user: ["alice"] },
    text: "user: [alice]",
    client: { principal: alice },
    is: false,
    found: /no user name$/,
  },
  {
    conditions: { tlsSubject },
    text: "tlsSubject: [CN=alice, O=Example, *, OU=Machines, O=Example]",
    client: { tlsSubject: ["CN=alice", "O=Example"] },
    is: true,
  },
  {
    conditions: { tlsSubject },
    text: "tlsSubject: [CN=alice, O=Example, *, OU=Machines, O=Example]",
    client: { tlsSubject: ["CN=x", "OU=Machines", "O=Example"] },
    is: true,
  },
  {
    conditions: { tlsSubject },
    text: "tlsSubject: [CN=alice, O=Example, *, OU=Machines, O=Example]",
    client: { tlsSubject: ["OU=Machines", "O=Example"] },
    is: false,
  },
  // One part whose text has the pattern's in it.
  {
    conditions: { tlsSubject },
    text: "tlsSubject: [CN=alice, O=Example, *, OU=Machines, O=Example]",
    client: { tlsSubject: ["CN=x\\, OU=Machines, O=Example"] },
    is: false,
  },
  {
    conditions: { tlsSubject },
    text: "tlsSubject: [CN=alice, O=Example, *, OU=Machines, O=Example]",
    is: false,
    found: /no certificate$/,
  },
  {
    conditions: { from: [IpNetwork.parse("10.0.0.0/8")] },
    text: "from: [10.0.0.0/8]",
    client: { address: parseIp("::ffff:10.1.2.3") },
    is: true,
  },
  {
    conditions: { from: [IpNetwork.parse("10.0.0.0/8")] },
    text: "from: [10.0.0.0/8]",
    client: { address: parseIp("192.0.2.1") },
    is: false,
    found: /address is 192\.0\.2\.1$/,
  },
  {
    conditions: { from: [IpNetwork.parse("0.0.0.0/0")] },
    text: "from: [0.0.0.0/0]",
    is: false,
    found: /not known$/,
  },
  { conditions: { listener: ["127.0.0.1:1080"] }, text: "listener: [127.0.0.1:1080]", is: true },
  {
    conditions: { listener: ["[::]:1080"] },
    text: "listener: [[::]:1080]",
    is: false,
    found: /the listener is 127\.0\.0\.1:1080$/,
  },
  {
    conditions: { level: "integrity" },
    text: "level: integrity",
    client: { level: "confidentiality" },
    is: true,
  },
  { conditions: { level: "integrity" }, text: "level: integrity", client: { level: "integrity" }, is: true },
  { conditions: { level: "integrity" }, text: "level: integrity", is: false, found: /the level is none$/ },
  { conditions: { level: "none" }, text: "level: none", is: true },
  { conditions: { tls: true }, text: "tls: true", client: { tls: true }, is: true },
  { conditions: { tls: true }, text: "tls: true", is: false, found: /no TLS$/ },
  { conditions: { tls: false }, text: "tls: false", is: true },
  { conditions: { command: ["bind", "connect"] }, text: "command: [bind, connect]", is: true },
  { conditions: { command: ["bind"] }, text: "command: [bind]", is: false, found: /the command is connect$/ },
  {
    conditions: { when: lunch },
    text: "when: { hours: 12:00-13:00, timeZone: UTC }",
    request: { time: Date.UTC(2024, 0, 1, 12, 30) },
    is: true,
  },
  {
    conditions: { when: lunch },
    text: "when: { hours: 12:00-13:00, timeZone: UTC }",
    request: { time: Date.UTC(2024, 0, 1, 13) },
    is: false,
    found: /it is mon 13:00 in UTC$/,
  },
];

function judge(rules: Rule[], { client = {}, request = {} }: Pick<Row, "client" | "request">) {
  const mismatches: string[][] = [];
  const decision = new Ruleset(rules, () => false).evaluate(
    { ...asking(client), ...DESTINATION, ...request },
    ({ rule, facts }) => mismatches.push(rule.mismatches(facts)),
  );
  return { effect: decision.effect, mismatches, text: rules[0]?.text };
}

test("the table has each key, matching and not", () => {
  for (const key of CONDITION_KEYS) {
    const rows = TABLE.filter(({ conditions }) => key in conditions);
    assert.deepEqual([...new Set(rows.map(({ is }) => is))].sort(), [false, true], key);
  }
});

test("each key matches what it says, to allow and to deny", () => {
  for (const { conditions, text, is, found, ...row } of TABLE) {
    const allow = judge([new Rule("allow", conditions)], row);
    const title = `${text} ${JSON.stringify(row)}`;
    assert.equal(allow.effect, is ? "allow" : "deny", title);
    assert.equal(allow.text, `allow: { ${text} }`);
    const [mismatches = []] = allow.mismatches;
    assert.equal(mismatches.length, is ? 0 : 1, `${title}: ${mismatches}`);
    if (!is) assert.ok(mismatches[0]?.startsWith(`${text}: `), mismatches[0]);
    if (found !== undefined) assert.match(mismatches[0] ?? "", found);
    if (row.request?.address !== undefined) continue;
    const deny = judge([new Rule("deny", conditions), new Rule("allow", {})], row);
    assert.equal(deny.effect, is ? "deny" : "allow", title);
  }
});

test("below `not`, each key matches the rest", () => {
  for (const { conditions, text, is, ...row } of TABLE) {
    const title = `not ${text} ${JSON.stringify(row)}`;
    if (row.request?.address === undefined) {
      const allow = judge([new Rule("allow", { not: conditions })], row);
      assert.equal(allow.effect, is ? "deny" : "allow", title);
      assert.equal(allow.text, `allow: { not: { ${text} } }`);
      assert.deepEqual(allow.mismatches[0]?.length, is ? 1 : 0, title);
    }
    const everywhere = { to: [parseDestinationPattern("203.0.113.1"), parseDestinationPattern("loopback")] };
    const deny = judge([new Rule("deny", { not: conditions }), new Rule("allow", everywhere)], row);
    assert.equal(deny.effect, is ? "allow" : "deny", title);
  }
});

test("each key below `not` stands for itself", () => {
  const rule = new Rule("allow", {
    not: { group: ["interns"], to: [parseDestinationPattern("203.0.113.0/24")] },
  });
  assert.equal(rule.text, "allow: { not: { to: [203.0.113.0/24], group: [interns] } }");
  const table: [names: string[], address: string, effect: string][] = [
    [[], "198.51.100.7", "allow"],
    [["interns"], "198.51.100.7", "deny"],
    [[], "203.0.113.1", "deny"],
    [["interns"], "203.0.113.1", "deny"],
  ];
  for (const [names, address, effect] of table)
    assert.equal(judge([rule], { client: { groups: groups(names) }, request: { address } }).effect, effect);
});

test("what is not known lets nobody in, and keeps out", () => {
  const failure = "the directory is down";
  const clients: Partial<Client>[] = [
    { groups: groups([], failure) },
    { groups: groups(["staff"], failure) },
    { localName: { name: null, failure } },
  ];
  const conditions: Conditions[] = [{ group: ["interns"] }, { group: ["interns"] }, { localName: ["bob"] }];
  for (const [index, client] of clients.entries()) {
    const asked = conditions[index] as Conditions;
    for (const body of [asked, { not: asked }]) {
      const allow = judge([new Rule("allow", body)], { client });
      assert.equal(allow.effect, "deny");
      assert.match(allow.mismatches[0]?.[0] ?? "", /: the directory is down$/);
      const deny = judge([new Rule("deny", body), new Rule("allow", {})], { client });
      assert.equal(deny.effect, "deny");
    }
  }
  // What is known all the same counts.
  const client = { groups: groups(["staff"], failure) };
  assert.equal(judge([new Rule("allow", { group: ["staff"] })], { client }).effect, "allow");
  assert.equal(judge([new Rule("allow", { not: { group: ["staff"] } })], { client }).effect, "deny");
});

test("a client's own word keeps it out, and lets it in only where the rule asks for that method", () => {
  const client: Partial<Client> = { method: "asserted", user: "alice", groups: groups(["staff"]) };
  for (const body of [{ user: ["alice"] }, { group: ["staff"] }] as Conditions[]) {
    assert.equal(judge([new Rule("allow", body)], { client }).effect, "deny");
    assert.equal(
      judge([new Rule("allow", { ...body, method: ["asserted", "ident"] })], { client }).effect,
      "allow",
    );
    assert.equal(judge([new Rule("deny", body), new Rule("allow", {})], { client }).effect, "deny");
    assert.equal(judge([new Rule("allow", { not: body })], { client }).effect, "deny");
    assert.equal(judge([new Rule("deny", { not: body }), new Rule("allow", {})], { client }).effect, "deny");
  }
});

test("an IPv4 address in an IPv6 one is kept out by either, and let in by neither", () => {
  const to = [parseDestinationPattern("198.51.100.0/24")];
  const request = { address: "64:ff9b::c633:6407" };
  assert.equal(judge([new Rule("allow", { to })], { request }).effect, "deny");
  assert.equal(judge([new Rule("allow", { not: { to } })], { request }).effect, "deny");
  assert.equal(judge([new Rule("deny", { not: { to } }), new Rule("allow", {})], { request }).effect, "deny");
});

test("a name for protected destinations opens its kind alone", () => {
  const own = (address: string, port: number) => address === "127.0.0.1" && port === 1080;
  const opens = (entry: string, address: string, port = 80) => {
    const rules = [new Rule("allow", { to: [parseDestinationPattern(entry)] })];
    return new Ruleset(rules, own).evaluate({ ...asking(), name: null, address, port }).effect === "allow";
  };
  const addresses: [kind: string, address: string, port?: number][] = [
    ["loopback", "127.0.0.1"],
    ["loopback", "::1"],
    ["loopback", "64:ff9b::7f00:1"],
    ["link-local", "169.254.169.254"],
    ["link-local", "fe80::1"],
    ["cloud-metadata", "fd00:ec2::254"],
    ["multicast", "ff02::1"],
    ["unspecified", "0.0.0.0"],
    ["broadcast", "255.255.255.255"],
    ["own-listeners", "127.0.0.1", 1080],
  ];
  const kinds = new Set(addresses.map(([kind]) => kind));
  for (const [kind, address, port] of addresses) {
    for (const each of kinds) assert.equal(opens(each, address, port), each === kind, `${each} ${address}`);
    assert.ok(opens("protected", address, port));
    assert.equal(opens("protected:81", address, port), false);
  }
  assert.equal(opens("protected", "203.0.113.1"), false);
  // Denied, though it is a listener of ours first of all.
  const rules = [
    new Rule("deny", { to: [parseDestinationPattern("loopback")] }),
    new Rule("allow", { to: [parseDestinationPattern("protected")] }),
  ];
  const request = { ...asking(), name: null, address: "127.0.0.1", port: 1080 };
  assert.equal(new Ruleset(rules, own).evaluate(request).rule, 1);
});
