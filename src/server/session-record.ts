import { type GssocksError, PolicyError } from "../errors.js";
import type { AuditRecord, Observer, SessionSubject } from "../observability/events.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import type { Octets } from "./octets.js";
import type { SessionQuota } from "./session-quota.js";

type Known = Pick<
  AuditRecord,
  "method" | "mechanism" | "level" | "command" | "destination" | "address" | "rule"
>;

/** What becomes known of a session on its way, and the audit record that comes of it. */
export class SessionRecord {
  readonly subject: SessionSubject;
  readonly known: Known = {
    method: null,
    mechanism: null,
    level: null,
    command: null,
    destination: null,
    address: null,
    rule: null,
  };
  readonly #listener: string;
  readonly #began = performance.now();
  #handshakeTold = false;

  /** Told the code of the error that ended it before it was connected. */
  onRefusal: (code: string) => void = () => {};
  /** What it takes of the limits. */
  readonly quota: SessionQuota;

  constructor(session: string, client: string, listener: string, quota: SessionQuota) {
    this.quota = quota;
    this.subject = { session, client, principal: null };
    this.#listener = listener;
  }

  /**
   * Tells that the handshake is over, the first time.
   * @param tried by which method the client was to be let in, where it was not
   */
  handshake(outcome: AuditRecord["outcome"], tried: AuthMethodName | null, observer: Observer): void {
    if (this.#handshakeTold) return;
    this.#handshakeTold = true;
    observer({ type: "handshake", method: this.known.method ?? tried, outcome });
  }

  /** @param error why the session ended; null where both sides ended in good order */
  close(error: GssocksError | null, octets: Octets): AuditRecord {
    if (error !== null && this.known.address === null) this.onRefusal(error.code);
    const { subject, known } = this;
    // Field by field, every session comes by here: the same with spreads costs 10 µs.
    return {
      session: subject.session,
      client: subject.client,
      principal: subject.principal,
      listener: this.#listener,
      method: known.method,
      mechanism: known.mechanism,
      level: known.level,
      command: known.command,
      destination: known.destination,
      address: known.address,
      rule: known.rule,
      outcome: outcome(error),
      code: error?.code ?? null,
      reason: error?.message ?? "both sides ended",
      bytesUp: octets.bytesUp,
      bytesDown: octets.bytesDown,
      sealedUp: octets.sealedUp,
      sealedDown: octets.sealedDown,
      duration: Math.round(performance.now() - this.#began) / 1000,
    };
  }
}

export function outcome(error: GssocksError | null): AuditRecord["outcome"] {
  if (error === null) return "completed";
  return error instanceof PolicyError ? "denied" : "failed";
}
