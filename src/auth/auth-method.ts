import type { Identity } from "./identity.js";

/** What a METHOD's subnegotiation gave for one message of the client. */
export type AuthStep =
  | { readonly complete: false; readonly token: Buffer | null }
  | { readonly complete: true; readonly token: Buffer | null; readonly identity: Identity };

/** One client's authentication under one METHOD. */
export interface AuthExchange {
  /**
   * Judges one message of the client.
   * @throws GssError, PolicyError or PeerError where the client is refused
   */
  step(message: Buffer): Promise<AuthStep>;
  /** Frees what is held; idempotent. */
  close(): void;
}

/** A METHOD (RFC 1928 §3) as the server runs it. */
export interface AuthMethod<Exchange extends AuthExchange = AuthExchange> {
  readonly method: number;
  begin(): Exchange;
  /** Frees what all exchanges share; idempotent. */
  close(): void;
}
