/** The configuration file's shape. What comes out is parsed: no text that somebody would have to read again. */
import * as z from "zod";
import { GSS_MECH_SPNEGO } from "../gss/oids.js";
import { COMMANDS } from "../policy/facts.js";
import { audit } from "./audit.js";
import { control } from "./control.js";
import { DEFAULTS } from "./defaults.js";
import {
  count,
  distinct,
  duration,
  durationOrNever,
  portRange,
  protectionLevels,
  text,
  workers,
} from "./fields.js";
import { groups } from "./groups.js";
import { limits } from "./limits.js";
import { httpProblems, listeners } from "./listeners.js";
import { metrics } from "./metrics.js";
import { type PasswordsConfig, passwords } from "./passwords.js";
import { penalties } from "./penalties.js";
import { ruleProblems, rules } from "./rules.js";
import { upstreams } from "./upstreams.js";
import {
  parseAddress,
  parseKeytab,
  parseListenAddress,
  parseMechanism,
  parsePeerAddress,
  parseSocketPath,
  parseTargetName,
} from "./values.js";

const gssapi = z.strictObject({
  keytab: text("an absolute path", parseKeytab, { pattern: "^(FILE:)?/" }).optional(),
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
  fastPath: z.boolean().default(DEFAULTS.fastPath),
});

const commands = distinct(z.enum(COMMANDS), "name at least one command");

const bind = z.strictObject({ ports: portRange.optional() });

const udp = z.strictObject({
  ports: portRange.optional(),
  advertise: text("an IP address", parseAddress).optional(),
  destinations: count.default(DEFAULTS.udpDestinations),
  datagramsPerSecond: count.default(DEFAULTS.udpDatagramsPerSecond),
  fromAnyone: z.boolean().default(false),
});

const ident = z.strictObject({
  port: z.int().min(1).max(65535).default(113),
  timeout: duration(1).default(DEFAULTS.identTimeout),
  concurrency: count.default(DEFAULTS.identConcurrency),
  server: text("an IP address and a port, as 192.0.2.1:113", parsePeerAddress).optional(),
});

const timeouts = z.strictObject({
  handshake: duration(1).default(DEFAULTS.handshake),
  connect: duration(1).default(DEFAULTS.connect),
  bind: duration(1).default(DEFAULTS.bind),
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
    commands: commands.prefault([...DEFAULTS.commands]),
    bind: bind.prefault({}),
    udp: udp.prefault({}),
    ident: ident.prefault({}),
    groups: groups.optional(),
    rules: rules.default([]),
    networksMatchNames: z.boolean().default(true),
    upstreams: upstreams.default({}),
    workers: workers.default(DEFAULTS.workers),
    limits: limits.prefault({}),
    penalties: penalties.prefault({}),
    timeouts: timeouts.prefault({}),
    log: log.prefault({}),
    audit: audit.prefault({}),
    identd: identd.optional(),
    metrics: metrics.optional(),
    control: control.optional(),
  })
  .superRefine(({ listeners, gssapi, passwords, groups, rules, upstreams }, context) => {
    const names = new Set(Object.keys(upstreams));
    for (const problem of [
      ...httpProblems(listeners, gssapi.protectionLevels),
      ...ruleProblems(rules, listeners, groups !== undefined, names),
    ])
      context.addIssue({ code: "custom", ...problem });
    if (passwords !== undefined) return;
    for (const [index, { methods, sources }] of listeners.entries()) {
      if (![{ methods }, ...sources].some((each) => each.methods.includes("password"))) continue;
      const message = "the method password needs to know where the passwords are: add `passwords`";
      context.addIssue({ code: "custom", path: ["listeners", index, "methods"], message });
    }
  })
  .transform(
    ({
      listeners,
      gssapi: { protectionLevels, nec, keytab, targetNames, mechanisms, fastPath },
      passwords,
      bind,
      udp,
      ident,
      identd,
      metrics,
      groups,
      control,
      ...rest
    }) => ({
      ...rest,
      groups: groups ?? null,
      identd: identd ?? null,
      metrics: metrics ?? null,
      control: control ?? null,
      bind: { ports: bind.ports ?? null },
      udp: { ...udp, ports: udp.ports ?? null, advertise: udp.advertise ?? null },
      ident: { ...ident, server: ident.server ?? null },
      listeners: listeners.map(
        ({ address, gssapi, acceptClearTextPasswords: _, socks4, tls, ...listener }) => ({
          ...listener,
          ...address,
          socks4: socks4 === undefined ? null : { ...socks4, users: socks4.users ?? null },
          tls: tls ?? null,
          pac: null,
          protectionLevels: gssapi.protectionLevels ?? protectionLevels,
          nec: gssapi.nec ?? nec,
        }),
      ),
      gssapi: { keytab: keytab ?? null, targetNames: targetNames ?? null, mechanisms, fastPath },
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
 * `passwords` and `groups` null are none;
 * timeouts are milliseconds, null is never; `identd` null is none, its `unknown` is the response's error type;
 * `metrics` and `control` null are none.
 */
export type Config = z.output<typeof configSchema>;
export type ListenerConfig = Config["listeners"][number];
export type IdentdConfig = NonNullable<Config["identd"]>;
