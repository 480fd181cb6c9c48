// `passwords`: one backend, and what is said of every key that can be wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PasswordBackendOptions } from "../../../src/auth/password-backends.js";
import { parseConfig } from "../../../src/config/load.js";
import { ConfigError } from "../../../src/errors.js";

const LISTENER = 'listeners: [{ address: "127.0.0.1:1080" }]\n';

/** The result is what the backends take. */
function parse(yaml: string): PasswordBackendOptions | null {
  return parseConfig(`${LISTENER}${yaml}\n`, "f").passwords;
}

test("each backend, and none", () => {
  assert.equal(parse(""), null);
  assert.deepEqual(parse("passwords: { file: /etc/gssocks/users }"), { file: "/etc/gssocks/users" });
  assert.deepEqual(parse("passwords: { kerberos: {} }"), { kerberos: { keytab: undefined } });
  const keytab = "FILE:/etc/gssocks/krb5.keytab";
  assert.deepEqual(parse(`gssapi: { keytab: /etc/gssocks/krb5.keytab }\npasswords: { kerberos: {} }`), {
    kerberos: { keytab },
  });
  assert.deepEqual(
    parse(`gssapi: { keytab: /etc/other }
passwords:
  kerberos: { realm: EXAMPLE.TEST, service: rcmd@proxy.example.test, keytab: "${keytab}" }`),
    { kerberos: { realm: "EXAMPLE.TEST", service: "rcmd@proxy.example.test", keytab } },
  );
  const least = { url: "ldaps://ldap.example.test", base: "dc=example,dc=test" };
  assert.deepEqual(parse(`passwords: { ldap: ${JSON.stringify(least)} }`), {
    ldap: { ...least, nameAttribute: "uid" },
  });
  const all = {
    url: "ldap://[::1]:3389",
    ca: "/etc/gssocks/ca.pem",
    base: "ou=people,dc=example,dc=test",
    nameAttribute: "sAMAccountName",
    filter: "(memberOf=cn=proxy,dc=example,dc=test)",
    bindDn: "cn=proxy,dc=example,dc=test",
    bindPasswordFile: "/etc/gssocks/ldap-password",
  };
  assert.deepEqual(parse(`passwords: { ldap: ${JSON.stringify(all)} }`), { ldap: all });
});

test("what is wrong is told by its key", () => {
  const ldap = (more: string) => `{ ldap: { url: "ldaps://h", base: dc=test, ${more} } }`;
  const table: [yaml: string, says: string | RegExp][] = [
    ["{}", "passwords: expected exactly one of file, kerberos and ldap"],
    ["{ file: /a, kerberos: {} }", "passwords: expected exactly one of file, kerberos and ldap"],
    ["{ users: /a }", /passwords\.users: unknown key; expected one of file, kerberos, ldap/],
    ["/etc/gssocks/users", /passwords: expected a mapping/],
    ["{ file: users }", 'passwords.file: expected an absolute path, found "users"'],
    ["{ kerberos: }", /passwords\.kerberos: expected a mapping, found nothing/],
    [
      "{ kerberos: { realm: a@B } }",
      /passwords\.kerberos\.realm: expected a realm, as EXAMPLE\.TEST, found "a@B"/,
    ],
    ["{ kerberos: { service: rcmd } }", /passwords\.kerberos\.service: expected service@host/],
    ["{ kerberos: { keytab: k } }", /passwords\.kerberos\.keytab: expected an absolute path/],
    [
      "{ ldap: {} }",
      /passwords\.ldap\.url: missing; expected ldaps:.*\n.*passwords\.ldap\.base: missing; expected a DN/,
    ],
    [
      "{ ldap: { url: http://h, base: dc=x } }",
      /passwords\.ldap\.url: expected ldaps:\/\/host or .*found "http:\/\/h"/,
    ],
    ["{ ldap: { url: ldaps://u:p@h, base: dc=x } }", /passwords\.ldap\.url: expected/],
    ["{ ldap: { url: ldaps://h/dc=x, base: dc=x } }", /passwords\.ldap\.url: expected/],
    ["{ ldap: { url: ldapi:///, base: dc=x } }", /passwords\.ldap\.url: expected/],
    ["{ ldap: { url: ldaps://h, base: people } }", /passwords\.ldap\.base: expected a DN/],
    [ldap("nameAttribute: '(uid'"), /passwords\.ldap\.nameAttribute: expected an attribute's name, as uid/],
    [ldap("filter: uid=x"), /passwords\.ldap\.filter: expected a filter, as \(objectClass=person\)/],
    [ldap("ca: ca.pem"), /passwords\.ldap\.ca: expected an absolute path/],
    [ldap("bindDn: cn=x"), "passwords.ldap.bindPasswordFile: missing; bindDn is of no use without it"],
    [
      ldap("bindPasswordFile: /p"),
      "passwords.ldap.bindDn: missing; bindPasswordFile is of no use without it",
    ],
    [ldap("bindDn: EXTERNAL, bindPasswordFile: /p"), /passwords\.ldap\.bindDn: expected a DN/],
  ];
  for (const [yaml, says] of table) {
    assert.throws(
      () => parse(`passwords: ${yaml}`),
      (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        const said = error.message.replaceAll(/^f:\d+: /gm, "");
        if (typeof says === "string") assert.equal(said, says);
        else assert.match(said, says);
        return true;
      },
      yaml,
    );
  }
});
