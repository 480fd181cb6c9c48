import type { PasswordBackend, VerifiedUser } from "../auth/password-backend.js";

/**
 * A program's own check of passwords. Limits on guessing, the time that a failure takes and the wiping of the password are
 * seen to.
 * @param password wiped once it is answered
 * @returns true: it is right, and the user is called as they said; a text: and that is the user's name. false: it is wrong
 */
export type VerifyPassword = (
  username: string,
  password: Buffer,
) => boolean | string | Promise<boolean | string>;

export class OwnPasswords implements PasswordBackend {
  readonly #verify: VerifyPassword;

  constructor(verify: VerifyPassword) {
    this.#verify = verify;
  }

  async verify(username: string, password: Buffer): Promise<VerifiedUser | null> {
    const word: unknown = await this.#verify(username, password);
    if (word === true) return { principal: username, kerberos: false };
    return typeof word === "string" && word !== "" ? { principal: word, kerberos: false } : null;
  }

  close(): void {}
}
