/** Who asks: the predicates that look at the client. */
import { type AuthMethodName, isProven, needsNaming } from "./auth-methods.js";
import type { Client, Facts } from "./facts.js";
import { anyOf, listText, type Matcher, NO, type Reading, yes } from "./matcher.js";
import { matchesPrincipal, type PrincipalPattern } from "./principal.js";
import { matchesSubject, type SubjectPattern } from "./tls-subject.js";

const itself = (text: string) => text;

export function methodMatcher(methods: readonly AuthMethodName[]): Matcher {
  return anyOf(
    "method",
    methods,
    itself,
    (method, { client }) => client.method === method,
    ({ client }) => `the method is ${client.method}`,
  );
}

const ANY_METHOD = yes("");

/** An allow rule without `method`: every one that need not be named. */
export const anyMethod: Matcher = {
  text: "",
  match: ({ client }) => (needsNaming(client.method) ? NO : ANY_METHOD),
  found: ({ client }) => `the method is ${client.method}, which a rule's \`method\` must name`,
};

/** @param mechanisms as the library's are called here: `krb5` */
export function mechanismMatcher(mechanisms: readonly string[]): Matcher {
  return anyOf(
    "mechanism",
    mechanisms,
    itself,
    (mechanism, { client }) => client.mechanism === mechanism,
    ({ client: { mechanism } }) =>
      mechanism === null ? "no GSS-API mechanism" : `the mechanism is ${mechanism}`,
  );
}

export function principalMatcher(patterns: readonly PrincipalPattern[]): Matcher {
  return anyOf(
    "principal",
    patterns,
    ({ text }) => text,
    (pattern, { client }) => client.principal !== null && matchesPrincipal(pattern, client.principal),
    showPrincipal,
  );
}

export function realmMatcher(realms: readonly string[]): Matcher {
  return anyOf(
    "realm",
    realms,
    itself,
    (realm, { client }) => client.principal?.realm === realm,
    showPrincipal,
  );
}

function showPrincipal({ client: { principal } }: Facts): string {
  return principal === null ? "the client has no Kerberos principal" : `the principal is ${principal.text}`;
}

export function userMatcher(users: readonly string[], reading: Reading): Matcher {
  return anyOf(
    "user",
    users,
    itself,
    (user, { client }) => client.user === user && isBelieved(client, reading),
    ({ client }) => {
      if (client.user === null) return "the client has no user name";
      const doubt = isBelieved(client, reading)
        ? ""
        : ", by the client's own word (a rule's `method` must name asserted)";
      return `the user is ${client.user}${doubt}`;
    },
  );
}

export function localNameMatcher(names: readonly string[]): Matcher {
  const { text, match, found } = anyOf(
    "localName",
    names,
    itself,
    (name, { client }) => client.localName.name === name,
    ({ client: { localName } }) =>
      localName.name === null ? "the client has no local name" : `the local name is ${localName.name}`,
  );
  return {
    text,
    match: (facts) => {
      const { failure } = facts.client.localName;
      return failure === null ? match(facts) : { is: "unavailable", by: failure };
    },
    found: (facts) => facts.client.localName.failure ?? found(facts),
  };
}

/** What is not known for certain lets nobody in, and keeps out. */
export function groupMatcher(groups: readonly string[], reading: Reading): Matcher {
  const rows = groups.map((group) => ({ group, yes: yes(`group ${group}`) }));
  return {
    text: listText("group", groups),
    match: ({ client }) => {
      const { names, failure } = client.groups;
      const member = rows.find(({ group }) => names.has(group));
      if (member !== undefined && isBelieved(client, reading)) return member.yes;
      return failure === null ? NO : { is: "unavailable", by: failure };
    },
    found: ({ client }) => {
      const { names, failure } = client.groups;
      if (failure !== null) return failure;
      const its = [...names].join(", ") || "none that the rules ask for";
      return `the client's groups are ${its}${isBelieved(client, reading) ? "" : ", by its own word"}`;
    },
  };
}

export function tlsSubjectMatcher(patterns: readonly SubjectPattern[]): Matcher {
  return anyOf(
    "tlsSubject",
    patterns,
    ({ text }) => text,
    (pattern, { client }) => client.tlsSubject !== null && matchesSubject(pattern, client.tlsSubject),
    ({ client: { tlsSubject } }) =>
      tlsSubject === null ? "the client has no certificate" : `the subject is ${tlsSubject.join(", ")}`,
  );
}

/** Whoever says of itself who it is, is believed where that keeps it out, or where the rule says so. */
function isBelieved({ method }: Client, { broad, asserted }: Reading): boolean {
  return broad || asserted || isProven(method);
}
