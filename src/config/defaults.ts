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
  sessions: 10_000,
  sessionsPerSource: 1000,
  handshake: 30 * SECOND,
  connect: 30 * SECOND,
  /** Long enough for a person's idle ssh, short enough that dead peers do not pile up. */
  idle: HOUR,
  total: null,
  drain: 30 * SECOND,
  logLevel: "info",
  identdAddress: "*:113",
  identdSocket: "/run/gssocks/identd.sock",
} as const;
