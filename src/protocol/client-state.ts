/** The client machine's vocabulary: its states, what goes in, what comes out. */
import type { GssocksError } from "../errors.js";
import type { Endpoint } from "./address.js";
import type { ProtectionLevel } from "./protection-level.js";
import type { Credentials } from "./username-password.js";

/** How we may show the proxy who we are. */
export type ClientMethod = "gssapi" | "password" | "none";

export type ClientState =
  | "idle"
  | "method"
  | "status"
  | "initiating"
  | "token"
  | "confirm"
  | "level"
  | "opening-level"
  | "reply"
  | "second-reply"
  | "relaying"
  | "closed";

export type ClientInput =
  | { type: "start" }
  | { type: "octets"; octets: Uint8Array }
  | { type: "initiated"; complete: boolean; token: Buffer | null }
  | { type: "level-opened"; octets: Uint8Array }
  | { type: "ended" }
  | { type: "failed"; error: GssocksError };

export type ClientEffect =
  /** `secret`: to be wiped once it is out. */
  | { type: "send"; octets: Buffer; secret?: true }
  | { type: "method"; method: ClientMethod }
  | { type: "init"; token: Buffer | null }
  | { type: "seal-level"; level: ProtectionLevel; nec: boolean }
  | { type: "open-level"; token: Buffer }
  | { type: "protect"; level: ProtectionLevel; rest: Buffer }
  /** BIND's first reply: somebody may connect to `bnd`. */
  | { type: "bound"; bnd: Endpoint }
  | { type: "relay"; bnd: Endpoint; rest: Buffer }
  | { type: "refuse"; state: ClientState; error: GssocksError };

export interface ClientMachineOptions {
  cmd: number;
  dst: Endpoint;
  /** Offered, in this order. */
  methods: readonly [ClientMethod, ...ClientMethod[]];
  /** For the method `password`. */
  credentials?: Credentials | undefined;
  /** Servers that the session has come through, where it is to be told. */
  hops?: number | undefined;
  /** Of the method `gssapi`: the levels that the caller accepts, the one to offer first. */
  levels: readonly [ProtectionLevel, ...ProtectionLevel[]];
  /** Send the level bare, and take a bare answer. */
  nec: boolean;
}

/** Where the proxy closed, as a message says it. */
export const CLOSED_IN: { readonly [State in ClientState]: string } = {
  idle: "at once",
  method: "in answer to our methods: is it a SOCKS5 proxy?",
  status: "in answer to our username and password",
  initiating: "during context establishment",
  token: "in answer to our token: is it an RFC 1961 proxy?",
  confirm: "in answer to our last token",
  level: "in answer to our protection level: it may not allow that level",
  "opening-level": "during protection level negotiation",
  reply: "in answer to our request",
  "second-reply": "while it waited for somebody to connect",
  relaying: "after the reply",
  closed: "twice",
};
