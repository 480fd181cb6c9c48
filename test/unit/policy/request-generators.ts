/** Rules and requests at random, of small universes, so that they meet often. */
import fc from "fast-check";
import { AUTH_METHODS } from "../../../src/policy/auth-methods.js";
import type { ConditionKey, Conditions } from "../../../src/policy/conditions.js";
import { parseDestinationPattern } from "../../../src/policy/destination-pattern.js";
import { type Client, COMMANDS, LEVELS } from "../../../src/policy/facts.js";
import { IpNetwork, parseIp } from "../../../src/policy/ip-network.js";
import { parsePrincipal, parsePrincipalPattern } from "../../../src/policy/principal.js";
import { type Effect, Rule } from "../../../src/policy/rule.js";
import type { AddressRequest } from "../../../src/policy/ruleset.js";
import { NO_TERMS } from "../../../src/policy/terms.js";
import { parseDays, parseHours, TimeWindow, TimeZone } from "../../../src/policy/time-window.js";
import { parseSubjectPattern } from "../../../src/policy/tls-subject.js";

const some = <T>(...values: T[]) => fc.subarray(values, { minLength: 1 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 3 });

const hours = ["08:00-18:00", "22:00-06:00"].map(
  (text) =>
    new TimeWindow({
      days: parseDays(["mon-fri"]),
      hours: parseHours(text),
      zone: new TimeZone("Europe/Berlin"),
      text,
    }),
);

const VALUES: { [Key in ConditionKey]: fc.Arbitrary<NonNullable<Conditions[Key]>> } = {
  to: fc
    .oneof(
      some(
        "203.0.113.0/24",
        "203.0.113.1:443",
        "0.0.0.0/0",
        "::/0",
        "*.test",
        "a.test",
        "intranet",
        "<local>",
        "loopback",
        "127.0.0.0/8",
        "protected",
      ),
      some("*.test", "a.test"),
    )
    .map((list) => list.map(parseDestinationPattern)),
  method: some(...AUTH_METHODS),
  mechanism: some("krb5", "ntlmssp"),
  principal: some("*@A.TEST", "alice@A.TEST", "host/*@A.TEST", "*@*").map((list) =>
    list.map(parsePrincipalPattern),
  ),
  realm: some("A.TEST", "B.TEST"),
  localName: some("alice", "bob"),
  group: some("staff", "interns"),
  user: some("alice", "bob"),
  tlsSubject: some("CN=alice, O=A", "*, O=A").map((list) => list.map(parseSubjectPattern)),
  from: some("10.0.0.0/8", "10.1.0.0/16", "::/0").map((list) => list.map((text) => IpNetwork.parse(text))),
  listener: some("[::]:1080", "127.0.0.1:1080"),
  level: fc.constantFrom(...LEVELS),
  tls: fc.boolean(),
  command: some(...COMMANDS),
  when: fc.constantFrom(...hours),
};

/** Most have few keys: else nothing would match. */
export const conditions: fc.Arbitrary<Conditions> = fc
  .subarray(Object.keys(VALUES) as ConditionKey[], { maxLength: 3 })
  .chain((keys) =>
    fc.record(
      Object.fromEntries(keys.map((key) => [key, VALUES[key]])) as Record<string, fc.Arbitrary<unknown>>,
    ),
  )
  .map((value) => value as Conditions);

export const rule: fc.Arbitrary<Rule> = fc
  .record({
    effect: fc.constantFrom<Effect>("allow", "deny"),
    body: conditions,
    not: maybe(conditions.filter((value) => Object.keys(value).length > 0)),
    requireLevel: fc.option(fc.constantFrom(...LEVELS), { freq: 3 }),
    redirect: fc.option(fc.constant({ host: "192.0.2.1", port: null }), { freq: 3 }),
  })
  .map(({ effect, body, not, requireLevel, redirect }) => {
    const terms = effect === "allow" ? { ...NO_TERMS, requireLevel, redirect } : NO_TERMS;
    return new Rule(effect, { ...body, not }, terms);
  });

export const rules: fc.Arbitrary<Rule[]> = fc.array(rule, { maxLength: 6 });

const failure = fc.option(fc.constant("not known"), { freq: 3 });

export const client: fc.Arbitrary<Client> = fc.record({
  method: fc.constantFrom(...AUTH_METHODS),
  mechanism: fc.constantFrom(null, "krb5", "ntlmssp"),
  principal: fc
    .constantFrom(null, "alice@A.TEST", "bob@B.TEST", "host/a.test@A.TEST", "PC$@A.TEST")
    .map((text) => (text === null ? null : parsePrincipal(text))),
  user: fc.constantFrom(null, "alice", "bob"),
  localName: fc.record({ name: fc.constantFrom(null, "alice", "bob"), failure }),
  groups: fc.record({ names: fc.subarray(["staff", "interns"]).map((names) => new Set(names)), failure }),
  tlsSubject: fc.constantFrom(null, ["CN=alice", "O=A"], ["O=A"], ["CN=b", "OU=c", "O=A"]),
  address: fc.constantFrom("10.1.2.3", "10.2.2.3", "2001:db8::1").map(parseIp),
  listener: fc.constantFrom("[::]:1080", "127.0.0.1:1080"),
  level: fc.constantFrom(...LEVELS),
  tls: fc.boolean(),
});

export const PUBLIC = ["203.0.113.1", "203.0.113.129", "198.51.100.7", "2001:db8::1"];
export const address = fc.constantFrom(
  ...PUBLIC,
  "127.0.0.1",
  "::1",
  "169.254.1.1",
  "64:ff9b::cb00:7101",
  "127.0.0.9",
);
export const name = fc.constantFrom("a.test", "b.a.test", "intranet", "localhost");

/** Port 1080 of 127.0.0.9 is a listener of the proxy's. */
export const isOwnListener = (text: string, port: number) => text === "127.0.0.9" && port === 1080;

export const request: fc.Arbitrary<AddressRequest> = fc.record({
  client,
  command: fc.constantFrom(...COMMANDS),
  // A week of 2024 in which summer time begins.
  time: fc.integer({ min: Date.UTC(2024, 2, 28), max: Date.UTC(2024, 3, 4) }),
  name: fc.option(name),
  address,
  port: fc.constantFrom(80, 443, 1080),
});
