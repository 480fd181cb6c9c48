/** METHOD 0x02 on the server: a password, which a backend knows (RFC 1929). */
import { NetworkError, PolicyError } from "../errors.js";
import { METHOD } from "../protocol/constants.js";
import type { Identity } from "./identity.js";
import type { PasswordBackend, VerifiedUser } from "./password-backend.js";
import { type Outcome, PasswordThrottle, type Throttle } from "./password-throttle.js";

export interface PasswordMethodOptions {
  throttle?: Throttle;
  /** Every failure takes this long, or a multiple of it where the backend took longer; in ms. */
  failureTime?: number;
  /** A backend that has not answered by then is not waited for; in ms. */
  timeout?: number;
}

/** Longer than the dearest hash of a users file takes, and what people know of sshd and sudo. */
const FAILURE_TIME = 2000;
/** Well within the handshake's timeout, so that the client is answered. */
const TIMEOUT = 15_000;

export class PasswordMethod {
  readonly method = METHOD.USERNAME_PASSWORD;
  readonly #backend: PasswordBackend;
  readonly #throttle: Throttle;
  readonly #failureTime: number;
  readonly #timeout: number;

  /** @param backend taken over: it is closed with this */
  constructor(backend: PasswordBackend, options: PasswordMethodOptions = {}) {
    this.#backend = backend;
    this.#throttle = options.throttle ?? new PasswordThrottle({ now: () => performance.now() });
    this.#failureTime = options.failureTime ?? FAILURE_TIME;
    this.#timeout = options.timeout ?? TIMEOUT;
  }

  /**
   * To the client all failures are one STATUS after the same time; the errors' texts are for the log.
   * @param password wiped when it is not needed any more
   * @param source the client's address
   * @throws PolicyError (BAD_PASSWORD, THROTTLED), or another GssocksError where the password can't be judged now
   */
  async authenticate(username: string, password: Buffer, source: string): Promise<Identity> {
    const began = performance.now();
    try {
      const { principal, kerberos } = await this.#inTime(username, password, source);
      return { method: "password", principal, kerberos, mechanism: null, acceptor: null };
    } catch (error) {
      const took = performance.now() - began;
      const time = this.#failureTime * Math.max(1, Math.ceil(took / this.#failureTime));
      await new Promise((resolve) => setTimeout(resolve, time - took));
      throw error;
    }
  }

  close(): void {
    this.#backend.close();
  }

  async #inTime(username: string, password: Buffer, source: string): Promise<VerifiedUser> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooLate(this.#timeout)), this.#timeout);
    try {
      const aborted = new Promise<never>((_, reject) => {
        late.signal.addEventListener("abort", () => reject(late.signal.reason), { once: true });
      });
      return await Promise.race([this.#judge(username, password, source, late.signal), aborted]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Goes on after the timeout, as the backend does: it has the password until it is done. */
  async #judge(username: string, password: Buffer, source: string, late: AbortSignal): Promise<VerifiedUser> {
    try {
      const settle = await this.#throttle.begin(username, source, late);
      let outcome: Outcome = "unknown";
      try {
        const verdict = await this.#verdict(username, password);
        outcome = typeof verdict === "string" ? "wrong" : "right";
        if (typeof verdict !== "string") return verdict;
        throw new PolicyError("BAD_PASSWORD", `${JSON.stringify(username)}: ${verdict}`);
      } finally {
        settle(outcome);
      }
    } finally {
      password.fill(0);
    }
  }

  /** @returns the user, or the reason why not */
  async #verdict(username: string, password: Buffer): Promise<VerifiedUser | string> {
    // A directory would take a bind without a password for one that asks for nothing, and grant it.
    if (password.length === 0) return "the password is empty";
    try {
      return (await this.#backend.verify(username, password)) ?? "wrong name or password";
    } catch (error) {
      if (error instanceof PolicyError) return error.message;
      throw error;
    }
  }
}

function tooLate(timeout: number): NetworkError {
  return new NetworkError(
    "PASSWORD_TIMEOUT",
    `the password could not be verified within ${timeout / 1000} s`,
  );
}
