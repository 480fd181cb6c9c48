/** Who is at the other end, as a METHOD established it. */
export interface Identity {
  /** How it was established. */
  readonly method: "gssapi" | "password" | "none" | "certificate" | "ident" | "asserted";
  /** The user's name: of the GSS-API as the mechanism displays it, `alice@EXAMPLE.TEST`. */
  readonly principal: string;
  /** The GSS-API mechanism's name, as `krb5`; null where there was none. */
  readonly mechanism: string | null;
  /** Our own name the initiator asked for, as `rcmd/proxy.example.test@EXAMPLE.TEST`; null where there was none. */
  readonly acceptor: string | null;
}
