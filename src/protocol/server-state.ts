/** The server machine's vocabulary: its states, what goes in, what comes out. */
import type { GssocksError } from "../errors.js";
import type { Endpoint } from "./address.js";
import type { AgreedLevel, ProtectionLevel } from "./protection-level.js";
import type { Request } from "./request.js";

export type ServerState =
  | "method"
  | "credentials"
  | "verifying"
  | "token"
  | "accepting"
  | "level"
  | "opening-level"
  | "request"
  | "socks4-request"
  | "deciding"
  | "binding"
  | "relaying"
  | "closed";

export type ServerInput =
  | { type: "octets"; octets: Uint8Array }
  /** The user name and the password are right. */
  | { type: "verified" }
  /** gss_accept_sec_context succeeded. `levels`: allowed here and possible with this context, best first. */
  | { type: "accepted"; complete: false; token: Buffer | null }
  | { type: "accepted"; complete: true; token: Buffer | null; levels: readonly AgreedLevel[] }
  | { type: "level-opened"; octets: Uint8Array }
  /** What became of the request; twice for BIND, where all goes well (RFC 1928 §6). */
  | { type: "replied"; rep: number; bnd?: Endpoint; error?: GssocksError }
  /** The client half-closed. */
  | { type: "ended" }
  /** The driver could not carry out an effect, or a deadline passed. */
  | { type: "failed"; error: GssocksError };

export type ServerEffect =
  | { type: "methods"; methods: readonly number[]; selected: number }
  | { type: "send"; octets: Buffer }
  | { type: "verify"; username: string; password: Buffer }
  | { type: "accept"; token: Buffer }
  | { type: "open-level"; token: Buffer }
  /** Send the level: wrapped with conf_req FALSE, or bare for `nec`. */
  | { type: "seal-level"; offered: ProtectionLevel; level: AgreedLevel; nec: boolean }
  /** All that follows is under this level; `rest` was received behind the level message. */
  | { type: "protect"; level: AgreedLevel; rest: Buffer }
  /** `user`: SOCKS4's USERID; null for SOCKS5. */
  | { type: "request"; request: Request; user: string | null }
  /** `rest` is data that the client sent behind its request. */
  | { type: "relay"; rest: Buffer }
  /** UDP ASSOCIATE: nothing more is said here, the connection's end is the association's. */
  | { type: "associate" }
  /** Close once what was sent is out. */
  | { type: "refuse"; state: ServerState; error: GssocksError };

/** What a state is called in a message to a person. */
export const STEPS: { readonly [State in ServerState]: string } = {
  method: "method selection",
  credentials: "user/password authentication",
  verifying: "user/password authentication",
  token: "context establishment",
  accepting: "context establishment",
  level: "protection level negotiation",
  "opening-level": "protection level negotiation",
  request: "request",
  "socks4-request": "request",
  deciding: "reply",
  binding: "second reply",
  relaying: "relay",
  closed: "closed",
};
