// The JSON Schema that is shipped: it takes what the loader takes, and refuses what editors can know to be wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { parseConfig } from "../../../src/config/load.js";

const ROOT = new URL("../../../../", import.meta.url);
const SCHEMA = JSON.parse(readFileSync(new URL("dist/gssocks.schema.json", ROOT), "utf8"));
const validate = new Ajv({ allErrors: true }).compile(SCHEMA);

interface JsonSchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
}

function accepts(yaml: string): boolean {
  return validate(parse(yaml));
}

for (const file of ["README.md", "docs/configuration.md", "docs/rules.md"]) {
  test(`the examples in ${file}`, () => {
    const text = readFileSync(new URL(file, ROOT), "utf8");
    const examples = [...text.matchAll(/^( *)```yaml\n([\s\S]*?)^\1```$/gm)];
    assert.ok(examples.length > 1);
    for (const [, indent = "", yaml = ""] of examples) {
      assert.ok(
        accepts(yaml.replaceAll(new RegExp(`^${indent}`, "gm"), "")),
        JSON.stringify(validate.errors),
      );
    }
  });
}

const LISTENER = 'listeners: [{ address: "*:1080" }]\n';

test("what the loader takes", () => {
  const table = [
    "timeouts: { idle: never, connect: 500ms, drain: 0s }",
    "gssapi: { keytab: /etc/k, mechanisms: [krb5], protectionLevels: [none] }",
    "gssapi: { keytab: FILE:/etc/k }",
    "bind: { ports: 40000-40999 }",
    "passwords: { kerberos: {} }",
    "groups: { file: /etc/gssocks/groups, maxAge: 0s }",
    "rules: [{ deny: {}, reason: no }, { allow: { when: { days: [mon-fri], hours: 08:00-18:00, timeZone: UTC } } }]",
    "rules: [{ allow: { command: [connect] }, redirect: a.test, bandwidth: { up: 1MB/s }, total: never }]",
    "identd: {}",
  ];
  for (const text of table) {
    parseConfig(LISTENER + text, "f");
    assert.ok(accepts(LISTENER + text), `${text}: ${JSON.stringify(validate.errors)}`);
  }
});

test("what the loader refuses, and an editor can know", () => {
  const table = [
    "",
    "listeners: []",
    'listeners: [{ adress: "*:1080" }]',
    "listeners: [{ address: localhost }]",
    "listeners: [{ address: 1080 }]",
    `${LISTENER}relay: {}`,
    `${LISTENER}gssapi: { nec: maybe }`,
    `${LISTENER}gssapi: { keytab: krb5.keytab }`,
    `${LISTENER}gssapi: { protectionLevels: [selective] }`,
    `${LISTENER}gssapi: { protectionLevels: [none, none] }`,
    `${LISTENER}limits: { sessions: 0 }`,
    `${LISTENER}limits: { sessions: 1.5 }`,
    `${LISTENER}timeouts: { idle: 30 }`,
    `${LISTENER}timeouts: { connect: never }`,
    `${LISTENER}passwords: {}`,
    `${LISTENER}passwords: { file: /a, kerberos: {} }`,
    `${LISTENER}passwords: { ldap: { url: "ldaps://h", base: "dc=test", bindDn: "cn=a", bindPassword: secret } }`,
    `${LISTENER}rules: {}`,
    `${LISTENER}rules: [{}]`,
    `${LISTENER}rules: [{ allow: {}, deny: {} }]`,
    `${LISTENER}rules: [{ allow: }]`,
    `${LISTENER}rules: [{ allow: { to: 10.0.0.0/8 } }]`,
    `${LISTENER}rules: [{ allow: { methods: [gssapi] } }]`,
    `${LISTENER}rules: [{ allow: { method: [ticket] } }]`,
    `${LISTENER}rules: [{ allow: { not: { not: {} } } }]`,
    `${LISTENER}rules: [{ allow: { level: 2 } }]`,
    `${LISTENER}rules: [{ allow: { when: { days: [mon] } } }]`,
    `${LISTENER}rules: [{ allow: {}, requireLevel: sealed }]`,
    `${LISTENER}rules: [{ allow: {}, severity: loud }]`,
    `${LISTENER}log: { level: loud }`,
  ];
  for (const text of table) {
    assert.throws(() => parseConfig(text, "f"), { code: "CONFIG_INVALID" }, text);
    assert.equal(accepts(text), false, text);
  }
});

test("every key says what it is for, to editors and in gssocks.yaml(5)", () => {
  const silent: string[] = [];
  function look(path: string, { properties = {}, items }: JsonSchema): void {
    for (const [key, value] of Object.entries(properties)) {
      if (/^(Expected: .*)?$/.test(value.description ?? "")) silent.push(`${path}${key}`);
      look(`${path}${key}.`, value);
    }
    if (items !== undefined) look(path, items);
  }
  look("", SCHEMA);
  assert.deepEqual(silent, [], "describe them in src/config, by .describe()");
});

test("there is no key for a secret itself", () => {
  const names = [...JSON.stringify(SCHEMA).matchAll(/"(\w*(?:password|secret)\w*)":/gi)].map(
    ([, name]) => name,
  );
  // A section, a method's switch, the name of a file.
  assert.deepEqual([...new Set(names)].sort(), [
    "acceptClearTextPasswords",
    "bindPasswordFile",
    "passwords",
    "sendClearTextPassword",
  ]);
});
