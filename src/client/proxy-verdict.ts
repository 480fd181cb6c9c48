/** What a failed attempt tells of the proxy, and whether another one may be asked instead. */
import { GssError, GssocksError, NetworkError, PeerError, PolicyError } from "../errors.js";

export interface Verdict {
  /** The next proxy may be tried: nothing of the request can have had an effect. */
  readonly next: boolean;
  /** up: it has answered; down: it can't be used; null: this says neither. */
  readonly state: "up" | "down" | null;
}

export interface Attempt {
  /** The request has been sent. */
  readonly requested: boolean;
  /** The ticket is somebody else's than the upstream's own, as one that was delegated to us. */
  readonly foreign: boolean;
}

/** The proxy's reply to the request. */
const ANSWERS = new Set(["RULE_DENIED", "DESTINATION_REFUSED", "REQUEST_REFUSED"]);

/** By these the proxy says that it takes no request of ours: to HTTP proxies it is sent with what we show them. */
const WITHOUT_EFFECT = new Set(["NO_ACCEPTABLE_METHOD", "AUTHENTICATION_REFUSED"]);

/** Before we have said who we are, or a matter of the proxy alone: whoever asks fares alike. */
const ANYBODY = new Set([
  "PROXY_UNREACHABLE",
  "TLS_FAILED",
  "PIN_MISMATCH",
  "NO_CHANNEL_BINDINGS",
  "NO_ACCEPTABLE_METHOD",
  "BAD_VERSION",
  "BAD_METHOD",
  "CONNECTION_LOST",
]);

/** Whoever is asked by GSS-API would refuse alike: it is about our ticket, or this machine. */
const OUR_TICKET = new Set([
  "NO_TICKET",
  "TICKET_EXPIRED",
  // In its last second.
  "CONTEXT_EXPIRED",
  "CCACHE_OTHER_PRINCIPAL",
  "CCACHE_UNREADABLE",
  "CLIENT_UNKNOWN",
  "CLIENT_LOCKED",
  "PASSWORD_WRONG",
  "PASSWORD_EXPIRED",
  "KRB5_CONF_INVALID",
  "MECHANISM_UNAVAILABLE",
]);

/** Whether it is our ticket that there is none, or that can't be used. */
export function isAboutTicket({ code }: GssError): boolean {
  return OUR_TICKET.has(code);
}

/** Whoever is asked. */
const OURS = new Set(["ABORTED", "LOOP", "COMMAND_NOT_SUPPORTED", "CLEAR_TEXT_PASSWORD"]);

export function verdictOn(error: unknown, { requested, foreign }: Attempt): Verdict {
  if (!(error instanceof GssocksError)) return { next: false, state: null };
  const { code } = error;
  if (ANSWERS.has(code)) return { next: false, state: "up" };
  if (OURS.has(code) || OUR_TICKET.has(code)) return { next: false, state: null };
  // Another proxy may be one whose ticket we hold.
  if (code === "KDC_UNREACHABLE") return { next: !requested, state: null };
  const blamed = error instanceof PeerError || error instanceof NetworkError || error instanceof PolicyError;
  if (!blamed && !(error instanceof GssError)) return { next: false, state: null };
  // Behind the request, to be slow is the destination's matter.
  const slow = requested && code === "TIMEOUT";
  const down = !slow && (!foreign || ANYBODY.has(code));
  return { next: !requested || WITHOUT_EFFECT.has(code), state: down ? "down" : null };
}
