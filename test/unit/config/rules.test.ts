// The `rules` and `groups` parts of the file: what comes of each key, and what is wrong with others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../../src/config/load.js";
import { ConfigError } from "../../../src/errors.js";
import { NO_TERMS } from "../../../src/policy/terms.js";

const FILE =
  'listeners: [{ address: "*:1080" }, { address: 127.0.0.1:1081 }]\ngroups: { system: true }\nrules:\n';

function ruleOf(text: string) {
  const [rule] = parseConfig(`${FILE}  - ${text}\n`, "f").rules;
  assert.ok(rule !== undefined);
  return rule;
}

function problemOf(text: string): string {
  try {
    ruleOf(text);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ path, message }) => `${path}|${message}`).join("\n");
  }
  assert.fail(`accepted: ${text}`);
}

test("each key of a rule says in its text what was written", () => {
  const table = [
    "allow: {}",
    "allow: { to: [10.0.0.0/8, loopback:80], method: [gssapi] }",
    "deny: { mechanism: [krb5, 1.2.3.4] }",
    'allow: { principal: ["*@EXAMPLE.TEST", host/*@EXAMPLE.TEST], realm: [EXAMPLE.TEST] }',
    "allow: { localName: [alice], group: [staff], user: [bob] }",
    'allow: { tlsSubject: ["CN=alice, O=Example"], from: [10.0.0.0/8, 2001:db8::1] }',
    "allow: { listener: [127.0.0.1:1081], level: integrity, tls: true, command: [connect] }",
    "allow: { when: { days: [mon-fri], hours: 08:00-18:00, timeZone: Europe/Berlin } }",
    "deny: { to: [10.0.0.0/8], not: { group: [staff], level: confidentiality } }",
  ];
  for (const text of table) assert.equal(ruleOf(text).text, text.replaceAll('"', ""));
  assert.equal(ruleOf('allow: { listener: ["*:1080"] }').text, "allow: { listener: [[::]:1080] }");
  assert.equal(
    ruleOf("allow: { mechanism: [KRB5, 1.2.840.113554.1.2.2] }").text,
    "allow: { mechanism: [krb5, krb5] }",
  );
});

test("the terms of a rule", () => {
  assert.deepEqual(ruleOf("allow: {}").terms, NO_TERMS);
  assert.deepEqual(ruleOf("deny: {}\n    reason: not here\n    severity: silent").terms, {
    ...NO_TERMS,
    reason: "not here",
    severity: "silent",
  });
  const all = `allow: { command: [connect] }
    requireLevel: integrity
    idle: 10m
    total: never
    bandwidth: { up: 500kbit/s, down: 2.5MB/s }
    redirect: "Cache.example.test:3128"
    sourceAddresses: [192.0.2.1, "2001:db8::1"]`;
  assert.deepEqual(ruleOf(all).terms, {
    ...NO_TERMS,
    requireLevel: "integrity",
    idle: 600_000,
    total: Number.POSITIVE_INFINITY,
    bandwidth: { up: 62_500, down: 2_500_000 },
    redirect: { host: "cache.example.test", port: 3128 },
    sourceAddresses: ["192.0.2.1", "2001:db8::1"],
  });
  const { terms } = ruleOf(
    'allow: { command: [connect] }\n    redirect: "::1"\n    bandwidth: { down: 1Gbit/s }',
  );
  assert.deepEqual(terms.redirect, { host: "::1", port: null });
  assert.deepEqual(terms.bandwidth, { up: null, down: 125_000_000 });
});

test("what is wrong with a rule is told with its key", () => {
  const table: [rule: string, problem: RegExp][] = [
    ["{}", /^rules\[0\]\|expected either allow or deny/],
    ["{ allow: {}, deny: {} }", /^rules\[0\]\|expected either allow or deny/],
    ["allow: { principal: [alice] }", /^rules\[0\]\.allow\.principal\[0\]\|expected name@REALM/],
    ["allow: { not: { principal: [alice] } }", /^rules\[0\]\.allow\.not\.principal\[0\]\|/],
    ["allow: { not: {} }", /^rules\[0\]\.allow\.not\|nothing is in it/],
    ["allow: { not: { not: { level: none } } }", /^rules\[0\]\.allow\.not\.not\|unknown key/],
    ["allow: { principal: [] }", /\.principal\|the list is empty; leave `principal` out/],
    ["allow: { realm: [a@B] }", /\.realm\[0\]\|expected a realm, as EXAMPLE\.TEST, found "a@B"/],
    ['allow: { group: ["a b"] }', /\.group\[0\]\|expected a name/],
    ["allow: { mechanism: [spnego] }", /\.mechanism\[0\]\|expected the mechanism that spnego negotiates/],
    ["allow: { tlsSubject: [alice] }", /\.tlsSubject\[0\]\|expected a subject as CN=alice/],
    ["allow: { from: [10.1.0.0/8] }", /\.from\[0\]\|expected a network without host bits/],
    [
      "allow: { listener: [127.0.0.1:1082] }",
      /\.listener\[0\]\|expected the address of one of the listeners/,
    ],
    [
      "deny: { not: { listener: [127.0.0.1:1082] } }",
      /\.deny\.not\.listener\[0\]\|expected the address of one/,
    ],
    ["allow: { level: selective }", /\.level\|expected one of confidentiality, integrity, none/],
    ["allow: { tls: maybe }", /\.tls\|expected true or false, found "maybe"/],
    ["allow: { command: [dial] }", /\.command\[0\]\|expected one of connect, bind, udp-associate/],
    ["allow: { when: { days: [mon] } }", /\.when\.timeZone\|missing; expected a time zone/],
    ["allow: { when: { days: [monday], timeZone: UTC } }", /\.when\.days\[0\]\|expected a day or days/],
    ["allow: { when: { hours: 8-18, timeZone: UTC } }", /\.when\.hours\|expected hours as 08:00-18:00/],
    ["allow: { when: { timeZone: Europe/Atlantis } }", /\.when\.timeZone\|expected a time zone/],
    ["{ deny: {}, requireLevel: integrity }", /^rules\[0\]\.requireLevel\|only a rule that allows/],
    ["{ deny: {}, idle: 1s, total: 1s }", /idle\|only.*\n.*total\|only/],
    [
      "{ allow: { command: [udp-associate] }, idle: 1s, limits: { sessions: 1 } }",
      /idle\|no association is bound by it: timeouts.*\n.*limits\|no association/,
    ],
    [
      "{ allow: {}, redirect: a.test }",
      /^rules\[0\]\.redirect\|it is for connect alone: add `command: \[connect\]`/,
    ],
    [
      "{ allow: { command: [connect, bind] }, sourceAddresses: [192.0.2.1] }",
      /sourceAddresses\|it is for connect/,
    ],
    [
      "{ allow: { command: [connect] }, sourceAddresses: [192.0.2.1, 192.0.2.2] }",
      /at most one IPv4 and one IPv6/,
    ],
    ["{ allow: { command: [connect] }, redirect: 10.0.0.0/8 }", /redirect\|expected a name or an address/],
    ["{ allow: { command: [connect] }, redirect: 'a.test:1-2' }", /redirect\|expected a name or an address/],
    ["{ allow: { command: [connect] }, redirect: loopback }", /redirect\|expected a name or an address/],
    ["{ allow: {}, bandwidth: {} }", /bandwidth\|expected up, down or both/],
    ["{ allow: {}, bandwidth: { up: 10 } }", /bandwidth\.up\|expected a rate/],
    ["{ allow: {}, bandwidth: { up: 10Mbps } }", /bandwidth\.up\|expected a rate/],
    ["{ allow: {}, bandwidth: { up: 1kbit/s } }", /bandwidth\.up\|expected a rate of at least 8kbit\/s/],
    ['{ deny: {}, reason: "a\\nb" }', /reason\|expected one line/],
    ["{ deny: {}, severity: loud }", /severity\|expected one of error, warn/],
  ];
  for (const [rule, problem] of table) assert.match(problemOf(rule), problem, rule);
});

test("a rule with group needs somebody to ask", () => {
  const file = (groups: string) =>
    `listeners: [{ address: 127.0.0.1:1080 }]\n${groups}\nrules: [{ allow: { not: { group: [a] } } }]`;
  assert.throws(
    () => parseConfig(file(""), "f"),
    /rules\[0\]\.allow\.not\.group: nobody knows.*add `groups`/,
  );
  assert.throws(() => parseConfig(file("groups: {}"), "f"), /groups: expected a file, system: true, or both/);
  assert.deepEqual(parseConfig(file("groups: { system: true }"), "f").groups, {
    file: null,
    system: true,
    maxAge: 60_000,
  });
  const groups = "groups: { file: /etc/gssocks/groups, maxAge: 0s }";
  assert.deepEqual(parseConfig(file(groups), "f").groups, {
    file: "/etc/gssocks/groups",
    system: false,
    maxAge: 0,
  });
});
