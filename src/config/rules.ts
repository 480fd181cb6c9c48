/** The `rules` part of the configuration file. */
import * as z from "zod";
import { GSS_MECH_SPNEGO, mechanismName } from "../gss/oids.js";
import { AUTH_METHODS } from "../policy/auth-methods.js";
import { parseDestinationPattern } from "../policy/destination-pattern.js";
import { COMMANDS } from "../policy/facts.js";
import { IpNetwork } from "../policy/ip-network.js";
import { parsePrincipalPattern } from "../policy/principal.js";
import { Rule } from "../policy/rule.js";
import { NO_TERMS, SEVERITIES } from "../policy/terms.js";
import { parseDays, parseHours, TimeWindow, TimeZone } from "../policy/time-window.js";
import { parseSubjectPattern } from "../policy/tls-subject.js";
import { type ListenerAddress, listenerAddressText } from "../protocol/listener-address.js";
import { bandwidth, distinct, durationOrNever, level, text } from "./fields.js";
import { sharedLimits } from "./limits.js";
import { describe } from "./problems.js";
import { parseAddress, parseListenerAddress, parseMechanism, parseRedirect, parseText } from "./values.js";

const NAME = "a name without white space, commas and colons";

const word = (expected: string, shape: RegExp) =>
  text(expected, (value) => parseText(value, shape, expected));

/** One entry of a list is enough; there must be one. */
const listOf = <T extends z.ZodType>(entry: T, key: string) =>
  z.array(entry).min(1, { error: `the list is empty; leave \`${key}\` out to match whatever it is` });

const mechanism = text("a mechanism's name or OID", (value) => {
  const oid = parseMechanism(value);
  if (oid === GSS_MECH_SPNEGO)
    return parseText(value, /^\b$/, "the mechanism that spnego negotiates, as krb5");
  return mechanismName(oid);
});

const when = z
  .strictObject({
    days: z
      .array(text("a day or days as mon or mon-fri", day))
      .min(1, { error: "the list is empty; leave `days` out to match every day" })
      .describe("Days of the week; without it, every day")
      .optional(),
    hours: text("hours as 08:00-18:00", (value) => ({ spans: parseHours(value), text: value }))
      .describe(
        "Hours of the clock on the wall, several with commas between; those past midnight belong to the day they begin on",
      )
      .optional(),
    timeZone: text("a time zone as Europe/Berlin", (value) => new TimeZone(value)).describe(
      "Whose clock is looked at",
    ),
  })
  .transform(({ days, hours, timeZone: zone }) => {
    const keys = [
      ...(days === undefined ? [] : [`days: [${days.join(", ")}]`]),
      ...(hours === undefined ? [] : [`hours: ${hours.text}`]),
      `timeZone: ${zone.name}`,
    ];
    return new TimeWindow({
      days: days && parseDays(days),
      hours: hours?.spans,
      zone,
      text: `{ ${keys.join(", ")} }`,
    });
  });

function day(text: string): string {
  parseDays([text]);
  return text;
}

const conditions = {
  to: z
    .array(text("an address, a network, a name or *.suffix", parseDestinationPattern))
    .min(1, { error: "the list is empty; leave `to` out to match every destination" })
    .describe(
      "Destinations, each with a port or a range of ports or without; without it, every one but the protected ones",
    )
    .optional(),
  method: distinct(z.enum(AUTH_METHODS), "leave `method` out to match every method")
    .describe("How the client was authenticated; without it, every way, but to allow not empty")
    .optional(),
  mechanism: listOf(mechanism, "mechanism")
    .describe("The GSS-API mechanism that was used in the end")
    .optional(),
  principal: listOf(text("a principal or a pattern for some", parsePrincipalPattern), "principal")
    .describe("Kerberos principals: *@EXAMPLE.TEST is people, host/*@EXAMPLE.TEST is services")
    .optional(),
  realm: listOf(word("a realm, as EXAMPLE.TEST", /^[^@/\\\s]+$/), "realm")
    .describe("Realms of Kerberos principals, people and services")
    .optional(),
  localName: listOf(word(NAME, /^[^\s:,]+$/), "localName")
    .describe("The local users that principals are mapped to (auth_to_local in krb5.conf)")
    .optional(),
  group: listOf(word(NAME, /^[^\s:,]+$/), "group")
    .describe("Groups, which groups knows")
    .optional(),
  user: listOf(z.string().min(1), "user")
    .describe("Names of clients without a Kerberos principal: of passwords, Ident, NTLM")
    .optional(),
  tlsSubject: listOf(text("a certificate's subject", parseSubjectPattern), "tlsSubject")
    .describe("The subject of the client's TLS certificate; *, O=Example is everything below that")
    .optional(),
  from: listOf(
    text("an address or a network", (value) => IpNetwork.parse(value)),
    "from",
  )
    .describe("The client's address")
    .optional(),
  listener: listOf(
    text("a listener's address, as 127.0.0.1:1080", (value) =>
      listenerAddressText(parseListenerAddress(value)),
    ),
    "listener",
  )
    .describe("The address of one of the listeners")
    .optional(),
  level: level.describe("A protection level, or a better one; without GSS-API it is none").optional(),
  tls: z.boolean().describe("Clients that speak TLS, or those that do not").optional(),
  command: distinct(z.enum(COMMANDS), "leave `command` out to match every command")
    .describe("What clients ask for")
    .optional(),
  when: when.describe("Days and hours").optional(),
};

const body = z.strictObject({
  ...conditions,
  not: z
    .strictObject(conditions)
    .refine((not) => Object.keys(not).length > 0, { error: "nothing is in it; leave `not` out" })
    .describe("The same keys, none of which may match")
    .optional(),
});

const rule = z
  .strictObject({
    allow: body
      .describe("Who may, and what: all keys must match, of a list one entry is enough. {} is everybody")
      .optional(),
    deny: body.describe("Who may not, and what, as with allow").optional(),
    reason: word("one line of at most 200 characters", /^[^\p{C}\p{Zl}\p{Zp}]{1,200}$/u)
      .describe("Words that log and audit repeat")
      .optional(),
    severity: z
      .enum(SEVERITIES)
      .describe("Of the log's lines that tell of the decision; silent is no line")
      .optional(),
    requireLevel: level
      .describe("A session at a lower protection level is denied, and no later rule is asked")
      .optional(),
    idle: durationOrNever.describe("In place of timeouts.idle").optional(),
    total: durationOrNever.describe("In place of timeouts.total").optional(),
    bandwidth: bandwidth.optional(),
    limits: sharedLimits.describe("What all sessions together may take that the rule allows").optional(),
    redirect: text("host:port, a host or an address", parseRedirect)
      .describe("Go there instead, whatever was asked for; no rule judges it. With command: [connect] alone")
      .optional(),
    via: z.string().describe("The one of upstreams that is to connect").optional(),
    sourceAddresses: distinct(text("an IP address", parseAddress), "leave it out for the system's choice")
      .refine((list) => new Set(list.map((each) => each.includes(":"))).size === list.length, {
        error: "at most one IPv4 and one IPv6 address",
      })
      .describe("Connect from this address of ours. With command: [connect] alone")
      .optional(),
  })
  .meta({ oneOf: [{ required: ["allow"] }, { required: ["deny"] }] })
  .superRefine(({ allow, deny, reason: _, severity: __, ...terms }, context) => {
    const problem = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if ((allow === undefined) === (deny === undefined))
      return problem([], "expected either allow or deny, as `allow: {}`");
    const given = Object.entries(terms).filter(([, value]) => value !== undefined);
    if (deny !== undefined) for (const [key] of given) problem([key], "only a rule that allows can have it");
    for (const key of ["redirect", "sourceAddresses"] as const) {
      const connects = allow?.command?.every((command) => command === "connect") ?? false;
      if (allow !== undefined && terms[key] !== undefined && !connects)
        problem([key], "it is for connect alone: add `command: [connect]` to what the rule allows");
    }
    // An association has several destinations, which several rules may allow.
    for (const key of ["idle", "total", "limits"] as const)
      if (terms[key] !== undefined && allow?.command?.every((command) => command === "udp-associate"))
        problem([key], "no association is bound by it: timeouts and limits are what holds for them");
  })
  .transform(({ allow, deny, idle, total, bandwidth, ...terms }): Rule => {
    const given = Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
    return new Rule(allow === undefined ? "deny" : "allow", allow ?? deny ?? {}, {
      ...NO_TERMS,
      ...given,
      idle: orNever(idle),
      total: orNever(total),
      bandwidth: bandwidth ?? null,
    });
  });

/** Null in the configuration is never, undefined is not said. */
function orNever(duration: number | null | undefined): number | null {
  return duration === undefined ? null : (duration ?? Number.POSITIVE_INFINITY);
}

export const rules = z
  .array(rule)
  .describe(
    "The first rule that matches decides; what no rule matches is denied. Each is allow or deny, and what else it wants",
  );

/** What is wrong where rules speak of other parts of the file. */
export function ruleProblems(
  rules: readonly Rule[],
  listeners: readonly { address: ListenerAddress }[],
  hasGroups: boolean,
  upstreams: ReadonlySet<string>,
): { path: PropertyKey[]; message: string }[] {
  const known = new Set(listeners.map(({ address }) => listenerAddressText(address)));
  const problems: { path: PropertyKey[]; message: string }[] = [];
  for (const [index, rule] of rules.entries()) {
    // One with a problem of its own.
    if (!(rule instanceof Rule)) continue;
    const { effect, body, terms } = rule;
    if (terms.via !== null && !upstreams.has(terms.via)) {
      const message = describe("the name of one of the upstreams", terms.via);
      problems.push({ path: ["rules", index, "via"], message });
    }
    for (const [below, { listener = [], group }] of [
      [[], body] as const,
      [["not"], body.not ?? {}] as const,
    ]) {
      const path = ["rules", index, effect, ...below];
      for (const [at, address] of listener.entries()) {
        const message = describe("the address of one of the listeners", address);
        if (!known.has(address)) problems.push({ path: [...path, "listener", at], message });
      }
      const message = "nobody knows who is in which groups: add `groups`";
      if (group !== undefined && !hasGroups) problems.push({ path: [...path, "group"], message });
    }
  }
  return problems;
}
