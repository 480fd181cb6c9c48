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
import { delegationProblems, upstreams } from "./upstreams.js";
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
  keytab: text("an absolute path", parseKeytab, { pattern: "^(FILE:)?/" })
    .describe("The keytab with the server's keys; without it, the Kerberos library's")
    .optional(),
  protectionLevels: protectionLevels.prefault([...DEFAULTS.protectionLevels]),
  nec: z
    .boolean()
    .default(DEFAULTS.nec)
    .describe(
      "Take the level as a bare octet too, as old NEC clients send it; it is then open to change on its way",
    ),
  targetNames: distinct(
    text("service@host or service/host@REALM", parseTargetName),
    "leave targetNames out to accept every name in the keytab",
  )
    .describe("The acceptor names that clients may ask for; without it, every name in the keytab")
    .optional(),
  mechanisms: distinct(text("a mechanism's name or OID", parseMechanism), "name at least one mechanism")
    .refine((list) => list.some((oid) => oid !== GSS_MECH_SPNEGO), {
      error: "spnego negotiates among the others of the list: name one of them too, as krb5",
    })
    .describe(
      "The mechanisms to accept with: krb5, spnego, iakerb, ntlmssp or OIDs; spnego needs another beside it",
    )
    .prefault([...DEFAULTS.mechanisms]),
  fastPath: z
    .boolean()
    .default(DEFAULTS.fastPath)
    .describe(
      "Protect what is relayed over TCP with the addon's own code where it can; false: by the library's calls",
    ),
});

const commands = distinct(z.enum(COMMANDS), "name at least one command").describe(
  "What clients may ask for; the rest is answered with REP 0x07",
);

const bind = z
  .strictObject({
    ports: portRange
      .describe("Those that peers may be told to connect to; without it the system picks")
      .optional(),
  })
  .describe("BIND");

const udp = z
  .strictObject({
    ports: portRange
      .describe("Those that clients may be told to send to; without it the system picks")
      .optional(),
    advertise: text("an IP address", parseAddress)
      .describe("The address that clients are told to send to, where a NAT stands before us")
      .optional(),
    destinations: count
      .default(DEFAULTS.udpDestinations)
      .describe("Destinations of one association at a time; the one used least recently makes room"),
    datagramsPerSecond: count
      .default(DEFAULTS.udpDatagramsPerSecond)
      .describe("Datagrams of one association, each way; what is more is dropped"),
    fromAnyone: z
      .boolean()
      .default(false)
      .describe("Pass on datagrams from where the client has not sent to, too"),
  })
  .describe("UDP ASSOCIATE");

const ident = z
  .strictObject({
    port: z.int().min(1).max(65535).default(113).describe("The identd's"),
    timeout: duration(1)
      .describe("For one query, the wait for its turn included")
      .prefault(DEFAULTS.identTimeout),
    concurrency: count
      .default(DEFAULTS.identConcurrency)
      .describe("Queries at once; four times as many wait, further ones are refused"),
    server: text("an IP address and a port, as 192.0.2.1:113", parsePeerAddress)
      .describe(
        "One identd that answers for every client, as on a router with NAT; without it, the client's own host",
      )
      .optional(),
  })
  .describe("How the identd of a SOCKS4 client is asked (RFC 1413)");

const timeouts = z
  .strictObject({
    handshake: duration(1)
      .describe("Accepting a client until its request is there, TLS included")
      .prefault(DEFAULTS.handshake),
    connect: duration(1)
      .describe("The request until its reply: Ident, the rules, DNS and dialing")
      .prefault(DEFAULTS.connect),
    bind: duration(1).describe("BIND's first reply until the peer has connected").prefault(DEFAULTS.bind),
    idle: durationOrNever.describe("No octet or datagram either way").prefault(DEFAULTS.idle),
    total: durationOrNever.describe("The beginning of the relay until its end").prefault(DEFAULTS.total),
    drain: duration(0).describe("SIGTERM until the sessions that are left are cut").prefault(DEFAULTS.drain),
  })
  .describe("From when to when, at most");

const log = z
  .strictObject({
    level: z
      .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
      .default(DEFAULTS.logLevel)
      .describe("Lines of a lower severity are left out"),
  })
  .describe("The log, on standard output");

const identd = z
  .strictObject({
    address: text("an IP address and a port, as *:113", parseListenAddress)
      .describe("Where queries come in")
      .prefault(DEFAULTS.identdAddress),
    socket: text("an absolute path", parseSocketPath)
      .describe("A Unix socket, on which the proxy answers gssocks identd")
      .prefault(DEFAULTS.identdSocket),
    answer: z
      .enum(["user", "token"])
      .default("user")
      .describe("What stands for a user: the principal without its realm, or the session's id"),
    forward: text("an IP address and a port, as 127.0.0.1:114", parsePeerAddress)
      .describe("The system's own identd, which is asked about connections that are not the proxy's")
      .optional(),
    unknown: z
      .enum(["no-user", "hidden-user"])
      .default("no-user")
      .describe("What is said of a connection that nobody knows"),
  })
  .describe(
    "For gssocks identd, which tells destinations who is behind a connection, and for the proxy, which tells gssocks identd; without it, the proxy tells nobody",
  )
  .transform(({ forward, unknown, ...rest }) => ({
    ...rest,
    forward: forward ?? null,
    unknown: unknown === "no-user" ? ("NO-USER" as const) : ("HIDDEN-USER" as const),
  }));

export const configSchema = z
  .strictObject({
    listeners,
    gssapi: gssapi.describe("The METHOD 0x01 (RFC 1961)").prefault({}),
    passwords: passwords.optional(),
    commands: commands.prefault([...DEFAULTS.commands]),
    bind: bind.prefault({}),
    udp: udp.prefault({}),
    ident: ident.prefault({}),
    groups: groups.optional(),
    rules: rules.default([]),
    networksMatchNames: z
      .boolean()
      .default(true)
      .describe("false: networks match the addresses that clients ask for, and no name's"),
    upstreams: upstreams
      .default({})
      .describe("Proxies that rules lead to (via), each set by a name of yours"),
    workers: workers.default(DEFAULTS.workers).describe("Processes that serve; auto is one for each core"),
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
      ...delegationProblems(upstreams, gssapi.keytab),
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
        ({ address, gssapi, acceptClearTextPasswords: _, socks4, pac, tls, ...listener }) => ({
          ...listener,
          ...address,
          socks4: socks4 === undefined ? null : { ...socks4, users: socks4.users ?? null },
          tls: tls ?? null,
          pac: pac ?? null,
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
 * The parsed configuration. A listener has a `host` (`::` listens on IPv6 and IPv4) and a `port` (0: the system picks),
 * or `unix` or `systemd` ({@link ListenerAddress}), and its own or the common `protectionLevels` (best first) and `nec`;
 * `gssapi.keytab` null is the library's default, `targetNames` null is every name in the keytab, `mechanisms` are OIDs;
 * `passwords` and `groups` null are none;
 * timeouts are milliseconds, null is never; `identd` null is none, its `unknown` is the response's error type;
 * `metrics` and `control` null are none.
 */
export type Config = z.output<typeof configSchema>;
/** What the file holds: what may be left out is optional, and durations are texts. */
export type ConfigInput = z.input<typeof configSchema>;
export type ListenerConfig = Config["listeners"][number];
export type IdentdConfig = NonNullable<Config["identd"]>;
