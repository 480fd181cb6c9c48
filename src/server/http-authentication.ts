/**
 * Finds out who an HTTP client is, by the same methods as one of SOCKS: nobody asks (none, or its TLS certificate says it),
 * Basic for password (RFC 7617), Negotiate for gssapi (RFC 4559). Basic comes with every request. Negotiate's legs are
 * requests on one connection, and what they establish holds for those that follow there without any credentials.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { type Delegated, NOTHING_DELEGATED } from "../auth/gssapi.js";
import type { Identity } from "../auth/identity.js";
import { PeerError, PolicyError } from "../errors.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import { METHOD } from "../protocol/constants.js";
import { type HttpCredentials, parseProxyAuthorization } from "../protocol/http-credentials.js";
import { type Fields, valuesOf } from "../protocol/http-fields.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import { Authentication, type AuthenticationOptions } from "./authentication.js";
import type { MethodName } from "./methods.js";

/** Requests without an end of it: IAKERB takes six legs, and every client one that says nothing. */
const MAX_LEGS = 16;

export type Verdict =
  /** `fields`: for the answer. */
  | { readonly identity: Identity; readonly fields: readonly string[] }
  /** To be answered with 407 and these. `begun`: it goes on from there. */
  | { readonly identity: null; readonly fields: readonly string[]; readonly begun: boolean };

/** Of passwords that were right; known to this process alone. */
const secret = randomBytes(32);

export class HttpAuthentication {
  readonly #socket: Socket;
  readonly #options: AuthenticationOptions;
  readonly #sealedOnly: boolean;
  #current: Authentication | null = null;
  #legs = 0;
  #negotiated: { identity: Identity; authentication: Authentication } | null = null;
  #basic: { digest: Buffer; identity: Identity } | null = null;

  /** @param levels that the listener allows: HTTP has none but `none` */
  constructor(socket: Socket, options: AuthenticationOptions, levels: readonly AgreedLevel[]) {
    this.#socket = socket;
    this.#options = options;
    this.#sealedOnly = !levels.includes("none");
  }

  /** By which the client is to be authenticated; null until that is known. */
  get method(): AuthMethodName | null {
    return this.#current?.method ?? null;
  }

  /** Who came with a context that was complete and refused all the same. */
  get refused(): string | null {
    return this.#current?.refused ?? null;
  }

  /** What a client may say of itself, as fields of a 407, in the server's order. */
  get challenges(): string[] {
    const challenges = [...this.#options.methods.values()].map((method) => this.#challenge(method));
    return challenges.filter((each) => each !== null).flatMap((each) => ["Proxy-Authenticate", each]);
  }

  /**
   * Who sends a request with these fields.
   * @throws PeerError (BAD_CREDENTIALS …) where that makes no sense, and what the methods throw where the client is refused
   */
  async authenticate(fields: Fields): Promise<Verdict> {
    const [value, ...more] = valuesOf(fields, "proxy-authorization");
    if (more.length > 0) throw new PeerError("BAD_CREDENTIALS", "more than one Proxy-Authorization");
    const credentials = value === undefined ? null : parseProxyAuthorization(value);
    for (const [number, method] of this.#options.methods) {
      const verdict = await this.#try(number, method, credentials);
      if (verdict !== null) return verdict;
    }
    return this.#ask();
  }

  /** What that client has delegated to us, while the connection is open. */
  delegatedBy(identity: Identity): Delegated {
    const negotiated = this.#negotiated?.identity === identity ? this.#negotiated : null;
    return negotiated?.authentication.delegated ?? NOTHING_DELEGATED;
  }

  close(): void {
    this.#current?.close();
    this.#negotiated?.authentication.close();
  }

  /** @returns null where the client does not come by that method */
  async #try(
    number: number,
    method: MethodName,
    credentials: HttpCredentials | null,
  ): Promise<Verdict | null> {
    if (number === METHOD.NO_AUTHENTICATION)
      return { identity: this.#begin(number).identity as Identity, fields: [] };
    if (method === "password" && credentials?.scheme === "basic") return this.#verify(credentials);
    if (method !== "gssapi" || this.#sealedOnly) return null;
    if (credentials === null && this.#negotiated !== null)
      return { identity: this.#negotiated.identity, fields: [] };
    return credentials?.scheme === "negotiate" ? this.#accept(credentials.token) : null;
  }

  #begin(method: number): { authentication: Authentication; identity: Identity | null } {
    this.#current?.close();
    const authentication = new Authentication(this.#socket, this.#options);
    this.#current = authentication;
    return { authentication, identity: authentication.begin(method) };
  }

  async #verify({ username, password }: HttpCredentials & { scheme: "basic" }): Promise<Verdict> {
    const digest = createHmac("sha256", secret).update(`${username}\0`).update(password).digest();
    // Looked up once for a connection: a directory would be asked for every picture of a page.
    const known = this.#basic;
    if (known !== null && timingSafeEqual(known.digest, digest)) {
      password.fill(0);
      return { identity: known.identity, fields: [] };
    }
    const { authentication } = this.#begin(METHOD.USERNAME_PASSWORD);
    const identity = await authentication.verify(username, password);
    this.#basic = { digest, identity };
    return { identity, fields: [] };
  }

  async #accept(token: Buffer): Promise<Verdict> {
    this.#count();
    const begun = this.#current?.method === "gssapi" && this.#current.context !== null;
    const authentication =
      begun && this.#current !== null ? this.#current : this.#begin(METHOD.GSSAPI).authentication;
    const step = await authentication.accept(token);
    const answer = `Negotiate ${step.token?.toString("base64") ?? ""}`.trim();
    if (!step.complete) return { identity: null, fields: ["Proxy-Authenticate", answer], begun: true };
    this.#legs = 0;
    this.#negotiated?.authentication.close();
    this.#negotiated = { identity: step.identity, authentication };
    this.#current = null;
    // RFC 4559 §4.2: by this the client knows the proxy.
    return {
      identity: step.identity,
      fields: step.token === null ? [] : ["Proxy-Authenticate", answer],
    };
  }

  /** @throws PolicyError where no way is left to say who one is */
  #ask(): Verdict {
    this.#count();
    const { challenges } = this;
    if (challenges.length > 0) return { identity: null, fields: challenges, begun: false };
    if (this.#sealedOnly && [...this.#options.methods.values()].includes("gssapi"))
      throw new PolicyError(
        "LEVEL_NOT_ALLOWED",
        "HTTP carries no sealed data: Negotiate needs a listener whose gssapi.protectionLevels contain none",
      );
    throw new PolicyError(
      "NO_ACCEPTABLE_METHOD",
      "this listener takes none of the methods that HTTP has (none, password, gssapi)",
    );
  }

  #count(): void {
    this.#legs += 1;
    if (this.#legs > MAX_LEGS)
      throw new PeerError("TOO_MANY_TOKENS", `not authenticated after ${MAX_LEGS} requests`);
  }

  #challenge(method: MethodName): string | null {
    if (method === "password") return 'Basic realm="gssocks", charset="UTF-8"';
    return method === "gssapi" && !this.#sealedOnly ? "Negotiate" : null;
  }
}
