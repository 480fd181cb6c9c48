/** What the server tells an observer. Types only: features emit, whoever wires the program decides what becomes of it. */
import type { Identity } from "../auth/identity.js";
import type { AuthMethodName } from "../policy/auth-methods.js";

/** One record at the end of every session: who went where, and why it ended as it did. */
export interface AuditRecord {
  session: string;
  /** The client's `address:port`. */
  client: string;
  /** Our `address:port` it came to. */
  listener: string;
  principal: string | null;
  /** How it was authenticated; null where it came to nothing. */
  method: AuthMethodName | null;
  /** GSS-API's. */
  mechanism: string | null;
  level: string | null;
  command: string | null;
  /** What the client asked for, `host:port`. */
  destination: string | null;
  /** The address that was dialed, `address:port`. */
  address: string | null;
  /** The rule that decided, counted from 1; null where none matched or none was asked. */
  rule: number | null;
  outcome: "completed" | "denied" | "failed";
  /** Stable code of the error; null where it completed. */
  code: string | null;
  reason: string;
  /** Plain octets, client to destination. */
  bytesUp: number;
  /** Plain octets, destination to client. */
  bytesDown: number;
  /** Octets of frames, datagrams among them, received from and sent to the client; 0 at level none. */
  sealedUp: number;
  sealedDown: number;
  /** Seconds. */
  duration: number;
}

/** A session, as far as it is known. */
export interface SessionSubject {
  session: string;
  client: string;
  principal: string | null;
}

export type ServerEvent =
  /** What protects relayed data, the preferred first; where there is none, the library's calls do. */
  | { type: "message-protection"; engines: readonly string[] }
  | { type: "listening"; address: string; port: number }
  /** A listener's TLS files changed; where they can't be used (`reason`), it goes on with those before. */
  | { type: "renewed"; listener: string; reason: string | null }
  /** Where the metrics are read. */
  | { type: "metrics-listening"; address: string; port: number }
  /** `limit`: the key of the configuration that stands in the way; absent where it is none of those. */
  | { type: "connection-refused"; client: string; code: string; reason: string; limit?: string }
  | { type: "session-opened"; subject: SessionSubject; listener: string }
  | { type: "method-selected"; subject: SessionSubject; offered: readonly number[]; selected: number }
  | { type: "authenticated"; subject: SessionSubject; identity: Identity }
  | { type: "level-agreed"; subject: SessionSubject; offered: string; level: string }
  | { type: "request"; subject: SessionSubject; command: string; destination: string }
  | { type: "connected"; subject: SessionSubject; address: string; bound: string }
  /** An association may send to it: told once, as CONNECT has its audit record. */
  | {
      type: "destination-allowed";
      subject: SessionSubject;
      destination: string;
      address: string;
      rule: number | null;
    }
  /** Datagrams to it are dropped. `untold`: others since the last such event, of which too many came to tell of each. */
  | {
      type: "destination-refused";
      subject: SessionSubject;
      destination: string;
      code: string;
      reason: string;
      untold: number;
    }
  /** UDP ASSOCIATE: the datagrams that were relayed, and those that were dropped, by reason. */
  | {
      type: "association-closed";
      subject: SessionSubject;
      datagramsUp: number;
      datagramsDown: number;
      dropped: Readonly<Record<string, number>>;
    }
  /** The client is known and has said what it wants, or the session ended before. One for each session. */
  | { type: "handshake"; method: AuthMethodName | null; outcome: AuditRecord["outcome"] }
  /**
   * The session can't go on; `step` names the part of the protocol it was in. `major`: where a GSS-API call failed, its
   * major status, as `GSS_S_DEFECTIVE_TOKEN`. `limit`: the key of the configuration whose limit it is.
   */
  | {
      type: "session-failed";
      subject: SessionSubject;
      step: string;
      code: string;
      reason: string;
      major: string | null;
      limit: string | null;
    }
  | { type: "session-closed"; record: AuditRecord }
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
  | { type: "draining"; sessions: number }
  | { type: "stopped" };

export type Observer = (event: ServerEvent) => void;
