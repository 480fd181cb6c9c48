/** What holds where the configuration is silent. Written as the file has it, but for what has `ms` in its comment. */
import type { AgreedLevel } from "../protocol/protection-level.js";

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
  /** One look-up in a directory of passwords, in ms. */
  directory: 10_000,
  identTimeout: "5s",
  identConcurrency: 64,
  workers: 1,
  /** Long enough for a browser's many sessions, short enough for who is taken out of a group. */
  groupsMaxAge: "1m",
  sessions: 10_000,
  sessionsPerSource: 1000,
  /** OpenSSH's. */
  failedAuthentication: "5s",
  handshakeTimeout: "10s",
  protocolError: "10s",
  leastPenalty: "15s",
  mostPenalty: "10m",
  exempt: ["127.0.0.0/8", "::1"],
  handshake: "30s",
  connect: "30s",
  /** As SOCKS4's author had it. */
  bind: "2m",
  /** Long enough for a person's idle ssh, short enough that dead peers do not pile up. */
  idle: "1h",
  total: "never",
  drain: "30s",
  logLevel: "info",
  /** Nobody passes without a trace. */
  auditOnFull: "block",
  auditQueue: 10_000,
  /** In ms. */
  auditFsync: 1000,
  syslogAddress: "/dev/log",
  journaldSocket: "/run/systemd/journal/socket",
  identdAddress: "*:113",
  identdSocket: "/run/gssocks/identd.sock",
  metricsAddress: "127.0.0.1:9464",
} as const;
