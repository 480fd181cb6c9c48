/** What becomes known of a session on its way, and the audit records that come of it. */
import type { Identity } from "../auth/identity.js";
import { type GssocksError, PolicyError } from "../errors.js";
import type {
  AuditDecision,
  AuditSession,
  Observer,
  Phase,
  SessionSubject,
} from "../observability/events.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import { REP } from "../protocol/constants.js";
import type { ServerEffect, ServerState } from "../protocol/server-state.js";
import type { Octets } from "./octets.js";
import type { Origin } from "./origin.js";
import type { SessionInfo } from "./session-info.js";
import type { SessionQuota } from "./session-quota.js";
import type { Progress } from "./sessions.js";

type Known = Pick<
  AuditSession,
  | "method"
  | "mechanism"
  | "localName"
  | "targetName"
  | "channelBindings"
  | "level"
  | "command"
  | "destination"
  | "address"
  | "upstream"
  | "rule"
  | "rep"
>;

type Judged = Pick<AuditDecision, "decision" | "addresses" | "rule" | "code" | "reason">;

/** Where a refusal is a reply. */
const REPLYING: ReadonlySet<ServerState> = new Set(["request", "socks4-request", "deciding", "binding"]);

/** Of a name's addresses, in a decision's record. */
const MAX_ADDRESSES = 16;

export class SessionRecord {
  readonly subject: SessionSubject;
  readonly known: Known = {
    method: null,
    mechanism: null,
    localName: null,
    targetName: null,
    channelBindings: null,
    level: null,
    command: null,
    destination: null,
    address: null,
    upstream: null,
    rule: null,
    rep: null,
  };
  readonly listener: string;
  readonly #began = Date.now();
  readonly #start = performance.now();
  readonly #phases: Partial<Record<Phase, number>> = {};
  #phase: Phase = "method";
  #entered = this.#start;
  #handshakeTold = false;

  /** Told the code of the error that ended it before it was connected. */
  onRefusal: (code: string) => void = () => {};
  /** What it takes of the limits. */
  quota: SessionQuota;
  /** Where the client comes from. */
  readonly origin: Origin;

  constructor(session: string, origin: Origin, listener: string, quota: SessionQuota) {
    const { client } = origin;
    this.quota = quota;
    this.origin = origin;
    this.subject = { session, client, principal: null };
    this.listener = listener;
  }

  /** Of a further session on the same connection. */
  another(session: string, quota: SessionQuota): SessionRecord {
    const record = new SessionRecord(session, this.origin, this.listener, quota);
    record.onRefusal = this.onRefusal;
    return record;
  }

  /**
   * Tells that the handshake is over, the first time.
   * @param tried by which method the client was to be let in, where it was not
   */
  handshake(outcome: AuditSession["outcome"], tried: AuthMethodName | null, observer: Observer): void {
    if (this.#handshakeTold) return;
    this.#handshakeTold = true;
    observer({ type: "handshake", method: this.known.method ?? tried, outcome, phases: this.#phases });
  }

  relaying(observer: Observer): void {
    observer({ type: "relaying", phases: this.#phases });
  }

  identified({ method, principal, mechanism, acceptor, channelBindings }: Identity): void {
    this.subject.principal = principal;
    const { known } = this;
    known.method = method;
    known.mechanism = mechanism;
    known.targetName = acceptor;
    known.channelBindings = channelBindings ?? null;
    this.enter(method === "gssapi" ? "level" : "request");
  }

  /** What an effect of the machine tells of the session. */
  follow(effect: ServerEffect): void {
    switch (effect.type) {
      case "methods":
        return this.enter("authentication");
      case "seal-level":
        this.known.level = effect.level;
        return;
      case "protect":
        return this.enter("request");
      case "request":
        // SOCKS4's comes before it is known who asks.
        return this.enter(effect.user === null ? "decision" : "authentication");
      case "relay":
      case "associate":
        this.known.rep = REP.SUCCEEDED;
        return this.enter("relay");
      case "refuse":
        if (REPLYING.has(effect.state)) this.known.rep = effect.error.rep;
    }
  }

  /** A part of the session begins, and the one before is over. */
  enter(phase: Phase): void {
    const now = performance.now();
    this.#phases[this.#phase] = seconds((this.#phases[this.#phase] ?? 0) * 1000 + now - this.#entered);
    this.#phase = phase;
    this.#entered = now;
  }

  /** @param untold of an association, how many decisions before this one have no record */
  decided(destination: string, judged: Judged, untold = 0): AuditDecision {
    const { subject, known } = this;
    return {
      type: "decision",
      time: new Date().toISOString(),
      session: subject.session,
      worker: null,
      listener: this.listener,
      client: subject.client,
      method: known.method,
      mechanism: known.mechanism,
      principal: subject.principal,
      localName: known.localName,
      targetName: known.targetName,
      channelBindings: known.channelBindings,
      level: known.level,
      command: known.command,
      destination,
      addresses: judged.addresses.slice(0, MAX_ADDRESSES),
      rule: judged.rule,
      decision: judged.decision,
      code: judged.code,
      reason: judged.reason,
      untold,
    };
  }

  /** While the session goes on. */
  info({ state, bytesUp, bytesDown }: Progress): SessionInfo {
    const { session, client, principal } = this.subject;
    const { method, mechanism, level, command, destination, address, upstream, rule } = this.known;
    return {
      session,
      pid: process.pid,
      state,
      client,
      listener: this.listener,
      principal,
      method,
      mechanism,
      level,
      command,
      destination,
      address,
      upstream,
      rule,
      age: Math.round(performance.now() - this.#start) / 1000,
      bytesUp,
      bytesDown,
    };
  }

  /** @param error why the session ended; null where both sides ended in good order */
  close(error: GssocksError | null, octets: Octets): AuditSession {
    this.enter(this.#phase);
    if (error !== null && this.known.address === null) this.onRefusal(error.code);
    const { subject, known } = this;
    // Field by field, every session comes by here: the same with spreads costs 10 µs.
    return {
      type: "session",
      time: new Date().toISOString(),
      began: new Date(this.#began).toISOString(),
      session: subject.session,
      worker: null,
      listener: this.listener,
      client: subject.client,
      method: known.method,
      mechanism: known.mechanism,
      principal: subject.principal,
      localName: known.localName,
      targetName: known.targetName,
      channelBindings: known.channelBindings,
      level: known.level,
      command: known.command,
      destination: known.destination,
      address: known.address,
      upstream: known.upstream,
      rule: known.rule,
      outcome: outcome(error),
      code: error?.code ?? null,
      reason: error?.message ?? "both sides ended",
      rep: known.rep,
      bytesUp: octets.bytesUp,
      bytesDown: octets.bytesDown,
      sealedUp: octets.sealedUp,
      sealedDown: octets.sealedDown,
      duration: seconds(this.#entered - this.#start),
      phases: this.#phases,
    };
  }
}

/** To the microsecond. */
function seconds(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1e6;
}

export function outcome(error: GssocksError | null): AuditSession["outcome"] {
  if (error === null) return "completed";
  return error instanceof PolicyError ? "denied" : "failed";
}
