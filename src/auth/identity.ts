/** Who is at the other end, as a METHOD established it. */
export interface Identity {
  /** The METHOD's name. */
  readonly method: "gssapi";
  /** The initiator's name as the mechanism displays it: `alice@EXAMPLE.TEST`. */
  readonly principal: string;
  /** The mechanism's name, as `krb5`. */
  readonly mechanism: string;
  /** Our own name the initiator asked for: `rcmd/proxy.example.test@EXAMPLE.TEST`. */
  readonly acceptor: string;
}
