/** What the server tells an observer. Types only: features emit, whoever wires the program decides what becomes of it. */
import type { Identity } from "../auth/identity.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import type { Severity } from "../policy/terms.js";

/** What both kinds of audit record hold; null is not known, or not come to. */
interface Audited {
  /** When it was made, ISO 8601 in UTC. */
  time: string;
  session: string;
  /** The process that served it, where there are several; the same is a field of that process's log lines. */
  worker: number | null;
  /** Our `address:port` it came to, or `unix:` and the path. */
  listener: string;
  /** The client's `address:port`; of a Unix socket `unix:uid=1000,pid=4242`. */
  client: string;
  /** How it was authenticated. */
  method: AuthMethodName | null;
  /** GSS-API's. */
  mechanism: string | null;
  principal: string | null;
  /** The local user that the principal is mapped to. */
  localName: string | null;
  /** GSS-API: our own name that the client asked for. */
  targetName: string | null;
  /** The type of the TLS channel bindings that the security context is bound with. */
  channelBindings: string | null;
  level: string | null;
  command: string | null;
  /** What the client asked for, `host:port`. */
  destination: string | null;
  /** The rule that decided, counted from 1; null where none matched or none was asked. */
  rule: number | null;
  /** Stable code of the error; null where there is none. */
  code: string | null;
  reason: string;
}

/** One for each request, and for each destination of an association, before anything is sent there. */
export interface AuditDecision extends Audited {
  type: "decision";
  /** Null where it came to none: `code` says why, as for a name that does not exist. */
  decision: "allow" | "deny" | null;
  /** Those that may be dialed, in the order they are tried. */
  addresses: readonly string[];
  /** Destinations of the association that were refused since its last such record, too many to tell of each. */
  untold: number;
}

/** The parts of a session, in their order. */
export type Phase =
  | "tls"
  | "method"
  | "authentication"
  | "level"
  | "request"
  | "decision"
  | "dns"
  | "connect"
  | "relay";

/** Seconds in each part that is over, while the session goes on. */
export type Phases = Readonly<Partial<Record<Phase, number>>>;

/** One at the end of every session: who went where, and why it ended as it did. */
export interface AuditSession extends Audited {
  type: "session";
  /** When the client connected, ISO 8601 in UTC. */
  began: string;
  /** The peer of CONNECT or BIND, `address:port`: where it goes through an upstream, that. */
  address: string | null;
  /** The upstream that was asked to connect, by its name in the configuration. */
  upstream: string | null;
  outcome: "completed" | "denied" | "failed";
  /** REP of the last reply (RFC 1928 §6); null where no reply was sent. */
  rep: number | null;
  /** Plain octets, client to destination. */
  bytesUp: number;
  /** Plain octets, destination to client. */
  bytesDown: number;
  /** Octets of frames, datagrams among them, received from and sent to the client; 0 at level none. */
  sealedUp: number;
  sealedDown: number;
  /** Seconds. */
  duration: number;
  /** Seconds in each part that was come to. */
  phases: Phases;
}

export type AuditRecord = AuditDecision | AuditSession;

/** Whether the audit trail takes records, as far as that can be told before. */
export interface AuditState {
  /** Why no further session may begin; null where one may. */
  readonly full: string | null;
  /** Records are written and find room. */
  readonly inOrder: boolean;
}

/** What the audit trail says to those who would let somebody pass. */
export interface AuditGate {
  /** Why no further session may begin; null where one may. */
  readonly full: string | null;
  /** Fulfilled when every record told so far is written, or need not be waited for. */
  written(): Promise<void>;
  /** The same, but at once while records are written and find room: for what can't wait each time. */
  room(): Promise<void>;
}

/** The audit trail, for those that have records of others. */
export interface AuditRecords extends AuditGate {
  readonly state: AuditState;
  add(record: AuditRecord): void;
  /** Calls `changed` with each new state. */
  watch(changed: (state: AuditState) => void): void;
}

/** A session, as far as it is known. */
export interface SessionSubject {
  session: string;
  client: string;
  principal: string | null;
}

/** Of a line that tells of a decision: what the rule wants it to have; null for the line's own. */
interface Told {
  severity?: Severity | null;
}

/** What happens on the way to other proxies. */
export type UpstreamEvent =
  /** `proxy` (`host:port`) of the upstream with that name can't be used any more, or can again; `code` and `reason`: why not. */
  | {
      type: "proxy-state";
      upstream: string;
      proxy: string;
      state: "up" | "down";
      code: string | null;
      reason: string | null;
    }
  /** DNS names other proxies than before; `refused`: hosts that are not trusted with a token. */
  | {
      type: "proxies-found";
      upstream: string;
      service: string;
      proxies: readonly string[];
      refused: readonly string[];
    }
  /** DNS names none, or does not answer: those that were known are kept. */
  | { type: "proxies-not-found"; upstream: string; code: string; reason: string }
  /** Whose ticket is used from now on, and whose was before; null: none can be used, `reason` says why. */
  | {
      type: "ticket";
      principal: string | null;
      before: string | null;
      code: string | null;
      reason: string | null;
    };

export type UpstreamObserver = (event: UpstreamEvent) => void;

export type ServerEvent =
  | UpstreamEvent
  /** What protects relayed data, the preferred first; where there is none, the library's calls do. */
  | { type: "message-protection"; engines: readonly string[] }
  /** `port` null: a Unix socket. */
  | { type: "listening"; address: string; port: number | null }
  /** A listener's TLS files changed; where they can't be used (`reason`), it goes on with those before. */
  | { type: "renewed"; listener: string; reason: string | null }
  /** Where the metrics are read. */
  | { type: "metrics-listening"; address: string; port: number | null }
  /**
   * `limit`: the key of the configuration that stands in the way; absent where it is none of those. `uid`: of the user who
   * may not come (NOT_OWNER), null where nobody has the client's socket any more.
   */
  | {
      type: "connection-refused";
      client: string;
      code: string;
      reason: string;
      limit?: string;
      uid?: number | null;
    }
  | { type: "session-opened"; subject: SessionSubject; listener: string }
  | { type: "method-selected"; subject: SessionSubject; offered: readonly number[]; selected: number }
  | { type: "authenticated"; subject: SessionSubject; identity: Identity }
  | { type: "level-agreed"; subject: SessionSubject; offered: string; level: string }
  | { type: "request"; subject: SessionSubject; command: string; destination: string }
  | ({ type: "connected"; subject: SessionSubject; address: string; bound: string } & Told)
  /** An association may send to it: told once, as CONNECT has its audit record. */
  | ({
      type: "destination-allowed";
      subject: SessionSubject;
      destination: string;
      address: string;
      rule: number | null;
    } & Told)
  /** Datagrams to it are dropped. `untold`: others since the last such event, of which too many came to tell of each. */
  | ({
      type: "destination-refused";
      subject: SessionSubject;
      destination: string;
      code: string;
      reason: string;
      untold: number;
    } & Told)
  /** UDP ASSOCIATE: the datagrams that were relayed, and those that were dropped, by reason. */
  | {
      type: "association-closed";
      subject: SessionSubject;
      datagramsUp: number;
      datagramsDown: number;
      dropped: Readonly<Record<string, number>>;
    }
  /** The client is known and has said what it wants, or the session ended before. One for each session. */
  | { type: "handshake"; method: AuthMethodName | null; outcome: AuditSession["outcome"]; phases: Phases }
  /** The client has its reply, and octets are carried. */
  | { type: "relaying"; phases: Phases }
  /**
   * The session can't go on; `step` names the part of the protocol it was in. `major`: where a GSS-API call failed, its
   * major status, as `GSS_S_DEFECTIVE_TOKEN`. `limit`: the key of the configuration whose limit it is.
   */
  | ({
      type: "session-failed";
      subject: SessionSubject;
      step: string;
      code: string;
      reason: string;
      major: string | null;
      limit: string | null;
    } & Told)
  /** What was decided about a request, or about a destination of an association. */
  | { type: "decision"; record: AuditDecision }
  | { type: "session-closed"; record: AuditSession }
  /** The audit trail can't be written, is full (`reason`), or is well again (null). `dropped`: records, since the start. */
  | { type: "audit-trail"; reason: string | null; waiting: number; dropped: number }
  /** Our Ident server was asked about `client`'s connection from `address`; `source` knew the answer, or nobody did. */
  | {
      type: "ident-answered";
      client: string;
      address: string;
      ports: string;
      source: "proxy" | "system" | null;
      answer: string;
    }
  /** One that knows could not be asked. */
  | { type: "ident-source-failed"; client: string; source: "proxy" | "system"; code: string; reason: string }
  /** What the administrator should mend while the server goes on. */
  | { type: "warning"; reason: string }
  /** One of several processes that serve, by its pid, takes connections. */
  | { type: "worker-started"; worker: number }
  /** It ended, and as many sessions with it; another one is started after `pause` ms, none where that is null. */
  | {
      type: "worker-died";
      worker: number;
      code: number | null;
      signal: string | null;
      sessions: number;
      pause: number | null;
    }
  /** Another configuration holds: listeners that came and went, and how many sessions its rules have ended. */
  | { type: "reloaded"; added: readonly string[]; removed: readonly string[]; ended: number }
  /** It can't; the one before goes on. */
  | { type: "reload-failed"; code: string; reason: string }
  | { type: "draining"; sessions: number }
  | { type: "stopped" };

export type Observer = (event: ServerEvent) => void;
