/** What holds where the configuration is silent. Durations are milliseconds; null is never. */
import type { AgreedLevel } from "../protocol/protection-level.js";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

export const DEFAULTS = {
  /** Best first. `none` has to be asked for by name. */
  protectionLevels: ["confidentiality", "integrity"] as readonly AgreedLevel[],
  /** NEC's unprotected level exchange: only for old clients. */
  nec: false,
  mechanisms: ["krb5", "spnego"],
  fastPath: true,
  commands: ["connect", "bind", "udp-associate"],
  /** Enough for a resolver and a game; each costs a judgement and some hundred octets. */
  udpDestinations: 256,
  udpDatagramsPerSecond: 10_000,
  /** One look-up in a directory of passwords. */
  directory: 10 * SECOND,
  identTimeout: 5 * SECOND,
  identConcurrency: 64,
  workers: 1,
  /** Long enough for a browser's many sessions, short enough for who is taken out of a group. */
  groupsMaxAge: 60 * SECOND,
  sessions: 10_000,
  sessionsPerSource: 1000,
  /** OpenSSH's. */
  failedAuthentication: 5 * SECOND,
  handshakeTimeout: 10 * SECOND,
  protocolError: 10 * SECOND,
  leastPenalty: 15 * SECOND,
  mostPenalty: 600 * SECOND,
  exempt: ["127.0.0.0/8", "::1"],
  handshake: 30 * SECOND,
  connect: 30 * SECOND,
  /** As SOCKS4's author had it. */
  bind: 120 * SECOND,
  /** Long enough for a person's idle ssh, short enough that dead peers do not pile up. */
  idle: HOUR,
  total: null,
  drain: 30 * SECOND,
  logLevel: "info",
  /** Nobody passes without a trace. */
  auditOnFull: "block",
  auditQueue: 10_000,
  auditFsync: SECOND,
  syslogAddress: "/dev/log",
  journaldSocket: "/run/systemd/journal/socket",
  identdAddress: "*:113",
  identdSocket: "/run/gssocks/identd.sock",
  metricsAddress: "127.0.0.1:9464",
} as const;
