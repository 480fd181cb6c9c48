/** Whom a right password belongs to. */
export interface VerifiedUser {
  /** As rules and the audit trail name the user: `alice@EXAMPLE.TEST` of Kerberos, `alice` of the others. */
  readonly principal: string;
  /** Whether that is a Kerberos principal. */
  readonly kerberos: boolean;
}

/**
 * A place that knows passwords. A new one needs this much and a key in the configuration: limits on guessing, the time
 * a failure takes and the wiping of the password are {@link PasswordMethod}'s.
 */
export interface PasswordBackend {
  /**
   * Keeps neither argument. Once the promise is settled the caller wipes the password.
   * @param password never empty
   * @returns null where the name or the password is wrong
   * @throws PolicyError where the user is refused for another reason, which the log is told; any other GssocksError
   *   where it can't be judged now, which is not held against the user
   */
  verify(username: string, password: Buffer): Promise<VerifiedUser | null>;
  /** Frees what is held; idempotent. */
  close(): void;
}
