/** The configuration file's shape. What comes out is parsed: no text that somebody would have to read again. */
import * as z from "zod";
import { UsageError } from "../errors.js";
import { GSS_MECH_SPNEGO } from "../gss/oids.js";
import { parseDestinationPattern } from "../policy/destination-pattern.js";
import type { Effect } from "../policy/matchers.js";
import { Rule, type RuleBody } from "../policy/rule.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { DEFAULTS } from "./defaults.js";
import { text } from "./fields.js";
import { type PasswordsConfig, passwords } from "./passwords.js";
import {
  DURATION,
  parseDuration,
  parseKeytab,
  parseListenAddress,
  parseMechanism,
  parsePeerAddress,
  parseSocketPath,
  parseTargetName,
} from "./values.js";

/** A list with at least one entry and none twice. */
function distinct<T extends z.ZodType>(entry: T, emptyMeans: string) {
  return z
    .array(entry)
    .min(1, { error: `the list is empty; ${emptyMeans}` })
    .superRefine((list, context) => {
      const seen = list.map((each) => JSON.stringify(each));
      for (const [index, each] of seen.entries()) {
        if (seen.indexOf(each) < index)
          context.addIssue({ code: "custom", path: [index], message: `${each} is listed twice` });
      }
    });
}

const duration = (least: number) => text(DURATION, (value) => parseDuration(value, least));
const durationOrNever = text(`${DURATION}, or "never"`, (value) =>
  value === "never" ? null : parseDuration(value, 1),
);
const count = z.int().min(1).max(1_000_000);

const LEVELS: readonly AgreedLevel[] = ["confidentiality", "integrity", "none"];

const level = text(`one of ${LEVELS.join(", ")}`, (value): AgreedLevel => {
  const found = LEVELS.find((each) => each === value);
  if (found !== undefined) return found;
  const hint =
    value === "selective"
      ? " (which only clients offer: a server answers it with one of its own levels)"
      : "";
  throw new UsageError(
    "BAD_VALUE",
    `expected one of ${LEVELS.join(", ")}, found ${JSON.stringify(value)}${hint}`,
  );
});

const protectionLevels = distinct(level, "name at least one level");

const listener = z.strictObject({
  address: text("an IP address and a port, as 127.0.0.1:1080", parseListenAddress),
  gssapi: z
    .strictObject({ protectionLevels: protectionLevels.optional(), nec: z.boolean().optional() })
    .prefault({}),
});

/** Two sockets cannot share an address; `*` and `[::]` are the same one. */
const listeners = z
  .array(listener)
  .min(1, { error: "the list is empty; name at least one address to listen on" })
  .superRefine((list, context) => {
    const names = list.map(({ address }) => (address.port === 0 ? null : `${address.host} ${address.port}`));
    for (const [index, name] of names.entries()) {
      if (name === null || names.indexOf(name) === index) continue;
      context.addIssue({
        code: "custom",
        path: [index, "address"],
        message: "an earlier listener has this address",
      });
    }
  });

const gssapi = z.strictObject({
  keytab: text("an absolute path", parseKeytab).optional(),
  protectionLevels: protectionLevels.default([...DEFAULTS.protectionLevels]),
  nec: z.boolean().default(DEFAULTS.nec),
  targetNames: distinct(
    text("service@host or service/host@REALM", parseTargetName),
    "leave targetNames out to accept every name in the keytab",
  ).optional(),
  mechanisms: distinct(text("a mechanism's name or OID", parseMechanism), "name at least one mechanism")
    .refine((list) => list.some((oid) => oid !== GSS_MECH_SPNEGO), {
      error: "spnego negotiates among the others of the list: name one of them too, as krb5",
    })
    .prefault([...DEFAULTS.mechanisms]),
});

const ruleBody = z.strictObject({
  to: z
    .array(text("an address, a network, a name or *.suffix", parseDestinationPattern))
    .min(1, { error: "the list is empty; leave `to` out to match every destination" })
    .optional(),
});

const rule = z
  .strictObject({ allow: ruleBody.optional(), deny: ruleBody.optional() })
  .transform((value, context): Rule => {
    const [[effect, body] = [], other] = Object.entries(value) as [Effect, RuleBody][];
    if (effect !== undefined && body !== undefined && other === undefined) return new Rule(effect, body);
    context.addIssue({ code: "custom", message: "expected either allow or deny, as `allow: {}`" });
    return z.NEVER;
  });

const limits = z.strictObject({
  sessions: count.default(DEFAULTS.sessions),
  sessionsPerSource: count.default(DEFAULTS.sessionsPerSource),
});

const timeouts = z.strictObject({
  handshake: duration(1).default(DEFAULTS.handshake),
  connect: duration(1).default(DEFAULTS.connect),
  idle: durationOrNever.default(DEFAULTS.idle),
  total: durationOrNever.default(DEFAULTS.total),
  drain: duration(0).default(DEFAULTS.drain),
});

const log = z.strictObject({
  level: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default(DEFAULTS.logLevel),
});

const identd = z
  .strictObject({
    address: text("an IP address and a port, as *:113", parseListenAddress).prefault(DEFAULTS.identdAddress),
    socket: text("an absolute path", parseSocketPath).prefault(DEFAULTS.identdSocket),
    answer: z.enum(["user", "token"]).default("user"),
    forward: text("an IP address and a port, as 127.0.0.1:114", parsePeerAddress).optional(),
    unknown: z.enum(["no-user", "hidden-user"]).default("no-user"),
  })
  .transform(({ forward, unknown, ...rest }) => ({
    ...rest,
    forward: forward ?? null,
    unknown: unknown === "no-user" ? ("NO-USER" as const) : ("HIDDEN-USER" as const),
  }));

export const configSchema = z
  .strictObject({
    listeners,
    gssapi: gssapi.prefault({}),
    passwords: passwords.optional(),
    rules: z.array(rule).default([]),
    limits: limits.prefault({}),
    timeouts: timeouts.prefault({}),
    log: log.prefault({}),
    identd: identd.optional(),
  })
  .transform(
    ({
      listeners,
      gssapi: { protectionLevels, nec, keytab, targetNames, mechanisms },
      passwords,
      identd,
      ...rest
    }) => ({
      ...rest,
      identd: identd ?? null,
      listeners: listeners.map(({ address, gssapi }) => ({
        ...address,
        protectionLevels: gssapi.protectionLevels ?? protectionLevels,
        nec: gssapi.nec ?? nec,
      })),
      gssapi: { keytab: keytab ?? null, targetNames: targetNames ?? null, mechanisms },
      passwords: passwords === undefined ? null : withKeytab(passwords, keytab),
    }),
  );

/** One keytab does for tickets and for passwords. */
function withKeytab(passwords: PasswordsConfig, keytab: string | undefined): PasswordsConfig {
  if (!("kerberos" in passwords)) return passwords;
  return { kerberos: { ...passwords.kerberos, keytab: passwords.kerberos.keytab ?? keytab } };
}

/**
 * The parsed configuration. A listener has a `host` (`::` listens on IPv6 and IPv4), a `port` (0: the system picks) and
 * its own or the common `protectionLevels` (best first) and `nec`;
 * `gssapi.keytab` null is the library's default, `targetNames` null is every name in the keytab, `mechanisms` are OIDs;
 * `passwords` null is none;
 * timeouts are milliseconds, null is never; `identd` null is none, its `unknown` is the response's error type.
 */
export type Config = z.output<typeof configSchema>;
export type ListenerConfig = Config["listeners"][number];
export type IdentdConfig = NonNullable<Config["identd"]>;
