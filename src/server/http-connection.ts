/**
 * The driver of an HTTP client's connection: owns its socket and the deadline of its requests' heads, and has the requests
 * done one after the other, each as a session of its own; CONNECT is the last. What a client says to a 407 belongs to the
 * session that the 407 was for.
 *
 * Node's parser (server/http-parser) has the socket but while a CONNECT is answered.
 */
import type { Socket } from "node:net";
import type { Identity } from "../auth/identity.js";
import { type GssocksError, PeerError, PolicyError } from "../errors.js";
import { timesThroughUs } from "../protocol/http-fields.js";
import { reset } from "../relay/cut-off.js";
import { CLEAR } from "../relay/message-protection.js";
import type { AuthenticationOptions } from "./authentication.js";
import { carryCommand } from "./carry-command.js";
import type { ClientFacts } from "./client-facts.js";
import { clientLost } from "./client-lost.js";
import type { ConnectionOptions } from "./connection.js";
import { Deadline } from "./deadline.js";
import { endLater, endSoon, sayFarewell } from "./farewell.js";
import {
  type Answer,
  authenticationRequired,
  encodeAnswer,
  failure,
  proxyAutoConfig,
  refusedCredentials,
  send,
  tunnelOpened,
} from "./http-answer.js";
import { HttpAuthentication } from "./http-authentication.js";
import { HttpExchange } from "./http-exchange.js";
import { parseHttp } from "./http-parser.js";
import { type Asked, brokenRequest, type HttpTarget, readRequest, staysOpen } from "./http-request.js";
import { HttpSession } from "./http-session.js";
import { asError } from "./internal-error.js";
import { LimitError } from "./limits.js";
import { NO_OCTETS } from "./octets.js";
import { type PacOptions, pacFor } from "./pac.js";
import { newSessionId } from "./session-id.js";
import type { SessionInfo } from "./session-info.js";
import { SessionQuota } from "./session-quota.js";
import type { SessionRecord } from "./session-record.js";
import type { Progress } from "./sessions.js";

/** Requests that came before the one at hand was answered. Hardly any client sends such. */
const MAX_WAITING = 16;

const PAC_PATH = "/proxy.pac";

const NOTHING = Buffer.alloc(0);

export interface HttpOptions extends ConnectionOptions {
  /** What is answered to whoever asks the proxy itself for /proxy.pac; null: nothing. */
  pac: PacOptions | null;
}

export class HttpConnection {
  /** Resolves when it is closed, and the audit records of its sessions are out. Never rejects. */
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #options: HttpOptions;
  readonly #first: SessionRecord;
  /** The connection's own; that of its first session, where it is a CONNECT. */
  readonly #quota: SessionQuota;
  readonly #facts: () => ClientFacts;
  readonly #auth: HttpAuthentication;
  readonly #deadline = new Deadline((error) => this.#late(error));
  #session: HttpSession | null;
  /** What is being done. */
  #asked: Asked | null = null;
  readonly #waiting: Asked[] = [];
  #challenged = false;
  /** No further session is to begin. */
  #last = false;
  #lost: NodeJS.ErrnoException | null = null;
  #tunnel: Promise<void> | null = null;

  /** @param handshake milliseconds until it is known who asks for what */
  constructor(
    socket: Socket,
    record: SessionRecord,
    auth: AuthenticationOptions,
    facts: () => ClientFacts,
    handshake: number,
    options: HttpOptions,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#first = record;
    this.#quota = record.quota;
    this.#facts = facts;
    this.#auth = new HttpAuthentication(socket, auth, options.levels);
    this.#session = new HttpSession(socket, record, facts(), options);
    this.done = new Promise((resolve) => {
      socket.on("error", this.#onError).once("close", () => {
        this.#closed();
        void Promise.resolve(this.#tunnel).then(() => resolve());
      });
    });
    this.#deadline.set(handshake, "HANDSHAKE_TIMEOUT", "the handshake took longer than");
    this.#parse();
  }

  get progress(): Progress | null {
    if (this.#session !== null) return this.#session.progress;
    // Its next request may say who it is.
    return this.#socket.destroyed ? null : { state: "handshake", level: null, ...NO_OCTETS };
  }

  /** null between two sessions. */
  get info(): SessionInfo | null {
    const session = this.#session;
    const progress = session?.progress ?? null;
    return session === null || progress === null ? null : session.record.info(progress);
  }

  /** The rules have changed. @returns why the session at hand may not go on; null where it may, or there is none */
  async judgeAgain(): Promise<GssocksError | null> {
    return (await this.#session?.judgeAgain()) ?? null;
  }

  /** Ends all at once. */
  abort(error: GssocksError): void {
    this.#last = true;
    if (this.#session?.fail(error)) return endLater(this.#socket);
    this.#finish(error);
    this.#asked = null;
    reset(this.#socket);
  }

  /** The session at hand goes on, no further one begins. */
  retire(): void {
    this.#last = true;
    if (this.#session === null) endSoon(this.#socket);
  }

  #parse(): void {
    parseHttp(this.#socket, {
      request: (request, response) => this.#arrived({ request, response, head: NOTHING }),
      connect: (request, head) => this.#arrived({ request, response: null, head }),
      broken: (error) => this.#broken(error),
    });
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#lost = error;
  };

  #closed(): void {
    this.#deadline.clear();
    this.#auth.close();
    if (this.#tunnel !== null) return;
    const error =
      this.#lost === null
        ? new PeerError("CLOSED_EARLY", "the client closed the connection")
        : clientLost(this.#lost);
    if (this.#session?.fail(error)) return;
    this.#finish(this.#unanswered ?? error);
    this.#asked = null;
  }

  /** A client without credentials, as a browser that has to ask for them, takes a 407 for the end. */
  get #unanswered(): PolicyError | null {
    if (!this.#challenged) return null;
    return new PolicyError(
      "AUTHENTICATION_REQUIRED",
      "the client was asked who it is (407), and did not say",
    );
  }

  #late(error: GssocksError): void {
    if (this.#asked !== null) {
      this.#last = true;
      return this.#refuse(this.#asked, error, failure(error));
    }
    const silent = this.#session === null || this.#challenged;
    this.#finish(this.#unanswered ?? error);
    return silent ? endSoon(this.#socket) : this.#farewell(failure(error));
  }

  /** What came is no HTTP, or ended in the middle. */
  #broken(error: NodeJS.ErrnoException): void {
    if (this.#lost !== null || this.#socket.writableEnded) return;
    const broken = brokenRequest(error);
    if (this.#asked !== null) return this.abort(broken);
    const failed = broken.code === "CLOSED_EARLY" ? (this.#unanswered ?? broken) : broken;
    this.#finish(failed);
    this.#farewell(failure(failed));
  }

  /** The last that is said on the connection, which no response of Node's has at the moment. */
  #farewell(answer: Answer): void {
    this.#last = true;
    this.#deadline.clear();
    if (this.#socket.writable) this.#socket.write(encodeAnswer(answer, true));
    sayFarewell(this.#socket);
  }

  #arrived(asked: Asked): void {
    // Whoever waits for them looks; nobody has to.
    asked.request.on("error", nothing);
    asked.response?.on("error", nothing);
    if (this.#last) return;
    if (this.#asked === null) return void this.#serve(asked);
    this.#waiting.push(asked);
    // A CONNECT is answered by hand: it can't wait for its turn.
    if (asked.response !== null && this.#waiting.length <= MAX_WAITING) return;
    this.abort(
      new PeerError("PIPELINED", "a CONNECT, or too many requests, before an earlier one was answered"),
    );
  }

  async #serve(asked: Asked): Promise<void> {
    this.#asked = asked;
    try {
      const session = await this.#begin(asked);
      if (session === null) return;
      const target = readRequest(asked.request);
      if (target.kind === "origin") return this.#answerItself(asked, target.path);
      const known = await this.#identify(session, asked);
      if (known === null || this.#asked !== asked) return;
      this.#deadline.clear();
      await this.#open(session, asked, target, known);
    } catch (error) {
      const failed = asError(error);
      this.#refuse(asked, failed, failure(failed));
    }
  }

  /** The session that a request goes on with, or another one; null where nobody waits for it any more. */
  async #begin(asked: Asked): Promise<HttpSession | null> {
    if (this.#session !== null) return this.#session;
    const { audit, observer } = this.#options;
    const full = audit.full === null ? null : { limit: "audit.queue", reason: audit.full };
    const quota = full ?? (await this.#follow(false));
    if (this.#asked !== asked) return null;
    if (!(quota instanceof SessionQuota)) {
      const code = full === null ? "LIMIT_REACHED" : "AUDIT_FULL";
      observer({ type: "connection-refused", client: this.#first.origin.client, code, ...quota });
      throw full === null ? new LimitError(quota) : new PolicyError(code, quota.reason);
    }
    const record = this.#first.another(newSessionId(), quota);
    const session = new HttpSession(this.#socket, record, this.#facts(), this.#options);
    this.#session = session;
    observer({ type: "session-opened", subject: record.subject, listener: record.listener });
    return session;
  }

  /** What a session takes of the limits beside the connection's place. */
  #follow(counted: boolean): ReturnType<ConnectionOptions["limits"]["follow"]> {
    return this.#options.limits.follow(this.#first.origin.source, counted);
  }

  /** Who asks, and the fields that tell the client so; null where it has to say more. */
  async #identify(
    session: HttpSession,
    asked: Asked,
  ): Promise<{ identity: Identity; fields: readonly string[] } | null> {
    try {
      session.authenticating();
      const verdict = await this.#auth.authenticate(asked.request.rawHeaders);
      if (this.#asked !== asked) return null;
      if (verdict.identity === null) {
        this.#challenge(asked, verdict.fields);
        return null;
      }
      this.#challenged = false;
      session.identified(verdict.identity);
      return verdict;
    } catch (error) {
      session.record.subject.principal = this.#auth.refused;
      const failed = asError(error);
      await this.#options.slowDown(this.#first.origin.source, failed.code);
      this.#last = true;
      const { challenges } = this.#auth;
      const answer = challenges.length === 0 ? failure(failed) : refusedCredentials(challenges);
      this.#refuse(asked, failed, answer);
      return null;
    }
  }

  /** The session waits for a request that says who asks. */
  #challenge({ request, response, head }: Asked, fields: readonly string[]): void {
    this.#challenged = true;
    const answer = authenticationRequired(fields);
    if (response !== null) {
      send(response, answer, this.#last);
      return this.#next();
    }
    // Whoever did not wait for the answer has sent what is meant for the destination, and is no request.
    const early = head.length > 0 || this.#socket.readableLength > 0;
    if (early || this.#last || !staysOpen(request)) return this.#farewell(answer);
    this.#socket.write(encodeAnswer(answer, false));
    this.#parse();
    this.#next();
  }

  async #open(
    session: HttpSession,
    asked: Asked,
    target: Exclude<HttpTarget, { kind: "origin" }>,
    { identity, fields }: { identity: Identity; fields: readonly string[] },
  ): Promise<void> {
    const { record, command } = session;
    const hops = timesThroughUs(asked.request.rawHeaders);
    const asker = { identity, hops, delegated: this.#auth.delegatedBy(identity) };
    if (asked.response === null) {
      await session.open(target.dst, asker);
      return this.#carry(session, asked.head, fields);
    }
    // What it takes is given back at its end, and not at the connection's.
    if (record.quota === this.#quota) {
      const quota = await this.#follow(true);
      if (this.#asked !== asked) return;
      if (quota instanceof SessionQuota) record.quota = quota;
    }
    await session.open(target.dst, asker);
    const exchange = new HttpExchange({
      request: asked.request,
      response: asked.response,
      target: target as HttpTarget & { kind: "absolute" },
      destination: command.destination as Socket,
      through: command.through,
      fields,
      ...command.bounds(),
    });
    const error = await session.carriedBy(exchange);
    if (error === null) return this.#settle(asked, null);
    if (asked.response.headersSent) this.#last = true;
    this.#refuse(asked, error, failure(error));
  }

  /** CONNECT: from here on nobody looks at what is said. */
  #carry(session: HttpSession, rest: Buffer, fields: readonly string[]): void {
    session.command.handedOver();
    const carrier = carryCommand(session.command, {
      client: this.#socket.off("error", this.#onError),
      protection: CLEAR,
      reply: tunnelOpened(fields),
      rest,
    });
    this.#tunnel = session.carriedBy(carrier).then((error) => this.#finish(error));
  }

  #answerItself(asked: Asked, path: string): void {
    const { pac } = this.#options;
    const { method = "" } = asked.request;
    const isAsked = pac !== null && path === PAC_PATH && /^(?:GET|HEAD)$/.test(method);
    const script = isAsked ? pacFor(pac, this.#socket) : null;
    if (asked.response === null || script === null)
      throw new PeerError("NOT_FOUND", "this is a proxy: it has nothing of that name itself");
    send(asked.response, proxyAutoConfig(script), this.#last);
    this.#settle(asked, null);
  }

  /** The request is answered by this, if by nothing before. */
  #refuse(asked: Asked, error: GssocksError, answer: Answer): void {
    if (this.#asked !== asked) return;
    const last = this.#last || this.#session === null;
    if (asked.response !== null) {
      if (!asked.response.headersSent && !this.#socket.destroyed) send(asked.response, answer, last);
      return this.#settle(asked, error);
    }
    this.#finish(error);
    this.#farewell(answer);
  }

  /** A request is done with, and so is its session. */
  #settle(asked: Asked, error: GssocksError | null): void {
    if (this.#asked !== asked) return;
    this.#finish(error);
    this.#session = null;
    this.#deadline.set(this.#options.timeouts.handshake, "HANDSHAKE_TIMEOUT", "no further request within");
    // Of a response that said so, Node closes the connection itself.
    if (this.#last && asked.response?.writableFinished) endSoon(this.#socket);
    this.#next();
  }

  #next(): void {
    this.#asked = null;
    const next = this.#last || this.#socket.destroyed ? undefined : this.#waiting.shift();
    if (next !== undefined) void this.#serve(next);
  }

  #finish(error: GssocksError | null): void {
    const session = this.#session;
    if (session === null || session.progress === null) return;
    session.finish(error, this.#auth.method);
    const { quota } = session.record;
    if (quota !== this.#quota) void this.#options.audit.room().then(() => quota.end());
  }
}

function nothing(): void {}
