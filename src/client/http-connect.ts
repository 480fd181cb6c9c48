/**
 * A destination through an HTTP proxy (RFC 9110 §9.3.6): CONNECT, with no authentication, Basic (RFC 7617) or Negotiate
 * (RFC 4559). The proxy is shown the first of our methods at once; where it wants another one of ours, that one is tried
 * on a new connection. What goes through is protected by nothing but TLS to the proxy, where there is any.
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { GssocksError, NetworkError, PeerError, PolicyError, UsageError } from "../errors.js";
import { formatEndpoint, UNSPECIFIED } from "../protocol/address.js";
import type { ClientMethod } from "../protocol/client-state.js";
import { REP } from "../protocol/constants.js";
import { viaOf } from "../protocol/hop-mark.js";
import { type Challenge, parseChallenges } from "../protocol/http-challenge.js";
import { holdOpen, letGo } from "../relay/cut-off.js";
import { CLEAR } from "../relay/message-protection.js";
import { aborted } from "./abort.js";
import { type Answer, ask, skipPage } from "./http-exchange.js";
import { HttpNegotiation } from "./http-negotiation.js";
import { lostProxy, openChannel, timedOut } from "./proxy-channel.js";
import {
  credentialsOf,
  methodsOf,
  NOBODY,
  type Opened,
  type ProxyOptions,
  type SessionNames,
  type Wanted,
} from "./proxy-options.js";
import type { ProxyChannel } from "./proxy-tls.js";

const SCHEMES: Readonly<Record<Exclude<ClientMethod, "none">, string>> = {
  gssapi: "negotiate",
  password: "basic",
};

/** What one method came to: the open destination, or what the proxy wants to be shown instead. */
type Outcome = { opened: Opened } | { opened: null; challenges: readonly Challenge[] };

/**
 * @param left milliseconds that are left
 * @throws as openThrough; PolicyError (LOOP, NOT_MUTUAL)
 */
export async function openHttp(options: ProxyOptions, { dst }: Wanted, left: () => number): Promise<Opened> {
  const methods = methodsOf(options);
  const basic = basicOf(options);
  const untried = new Set<ClientMethod>(methods);
  const late = AbortSignal.timeout(Math.ceil(left()));
  const signal = options.signal === undefined ? late : AbortSignal.any([options.signal, late]);
  for (let method: ClientMethod = methods[0]; ; ) {
    untried.delete(method);
    const channel = await openChannel(options, left).catch((error: Error) => {
      throw causeOf(error, options, late);
    });
    const connecting = new Connecting(channel, options, formatEndpoint(dst), basic, signal);
    const outcome: Outcome = await unlessAborted(connecting.by(method), signal).catch((error: Error) => {
      connecting.end();
      throw causeOf(error, options, late);
    });
    if (outcome.opened !== null) return outcome.opened;
    connecting.end();
    const { challenges } = outcome;
    const next: ClientMethod | undefined = [...untried].find((each) => asksFor(challenges, each));
    if (next === undefined) throw noneAcceptable(methods, challenges);
    method = next;
  }
}

/** A call of the library may wait long for a KDC; what comes of it then is nobody's. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let gaveUp = () => {};
  const aborted = new Promise<never>((_, reject) => {
    gaveUp = () => reject(signal.reason);
    if (signal.aborted) gaveUp();
    else signal.addEventListener("abort", gaveUp, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", gaveUp);
  }
}

/** One connection to the proxy. */
class Connecting {
  readonly #socket: Socket;
  readonly #bindings: Buffer | undefined;
  readonly #options: ProxyOptions;
  readonly #authority: string;
  readonly #basic: string | undefined;
  readonly #signal: AbortSignal;
  #broken: Error | null = null;

  constructor(
    { socket, bindings }: ProxyChannel,
    options: ProxyOptions,
    authority: string,
    basic: string | undefined,
    signal: AbortSignal,
  ) {
    this.#socket = socket;
    this.#bindings = bindings;
    this.#options = options;
    this.#authority = authority;
    this.#basic = basic;
    this.#signal = signal;
    socket.on("error", this.#onError);
  }

  readonly #onError = (error: Error): void => {
    this.#broken ??= error;
  };

  end(): void {
    this.#socket.destroy();
  }

  async by(method: ClientMethod): Promise<Outcome> {
    if (method === "gssapi") return this.#negotiate();
    const answer = await this.#ask(method === "password" ? this.#basic : undefined);
    if (isGranted(answer)) return this.#opened(method, answer.head);
    return this.#refused(method, answer);
  }

  /** RFC 4559 §4: a 407 with a token goes on with the negotiation, on the same connection. */
  async #negotiate(): Promise<Outcome> {
    const negotiation = await HttpNegotiation.begin(this.#options, this.#bindings);
    try {
      for (let token: string | null = null; ; ) {
        const answer = await this.#ask(`Negotiate ${await negotiation.step(token)}`);
        if (isGranted(answer)) {
          await negotiation.finish(tokenOf(answer, "proxy-authenticate", "proxy-authentication-info"));
          return this.#opened("gssapi", answer.head, await negotiation.names());
        }
        token = answer.status === 407 ? tokenOf(answer, "proxy-authenticate") : null;
        if (token === null || negotiation.established) return this.#refused("gssapi", answer);
        if (!answer.lasting)
          throw new PeerError("BAD_RESPONSE", "the proxy breaks off the negotiation that it has begun");
        await skipPage(this.#socket, answer, this.#signal);
      }
    } finally {
      negotiation.close();
    }
  }

  async #ask(authorization: string | undefined): Promise<Answer> {
    if (this.#broken !== null) throw this.#broken;
    const { hops, requested } = this.#options;
    requested?.();
    // An end would be that of our data alone, and the proxy would go on for nobody; so it would if we were killed.
    holdOpen(this.#socket);
    const answer = await ask(
      this.#socket,
      this.#authority,
      {
        ...(hops !== undefined && { Via: viaOf(hops) }),
        ...(authorization !== undefined && { "Proxy-Authorization": authorization }),
      },
      this.#signal,
    );
    letGo(this.#socket);
    return answer;
  }

  #opened(method: ClientMethod, rest: Buffer, names: SessionNames = NOBODY): Outcome {
    this.#socket.off("error", this.#onError);
    const session = { method, ...names, level: "none", bnd: UNSPECIFIED } as const;
    return { opened: { socket: this.#socket, context: null, protection: CLEAR, session, rest } };
  }

  #refused(method: ClientMethod, answer: Answer): Outcome {
    if (answer.status !== 407) throw refusal(answer, this.#authority);
    const challenges = challengesOf(answer, "proxy-authenticate");
    if (!asksFor(challenges, method)) return { opened: null, challenges };
    const what = method === "gssapi" ? "our ticket" : "our username and password";
    throw new PeerError("AUTHENTICATION_REFUSED", `the proxy refused ${what} (407); its log says why`);
  }
}

/** RFC 7617 §2: the first colon ends the name. */
function basicOf(options: ProxyOptions): string | undefined {
  const credentials = credentialsOf(options);
  if (credentials === undefined) return undefined;
  const { username, password } = credentials;
  if (username.includes(":"))
    throw new UsageError("BAD_USERNAME", "a username with a colon can't be told to an HTTP proxy");
  const both = Buffer.concat([Buffer.from(`${username}:`), password]);
  const basic = `Basic ${both.toString("base64")}`;
  for (const octets of [both, password]) octets.fill(0);
  return basic;
}

function isGranted({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function challengesOf({ fields }: Answer, ...names: string[]): Challenge[] {
  return parseChallenges(names.flatMap((name) => fields[name] ?? []));
}

function tokenOf(answer: Answer, ...names: string[]): string | null {
  const negotiate = challengesOf(answer, ...names).find(({ scheme }) => scheme === SCHEMES.gssapi);
  return negotiate?.token || null;
}

function asksFor(challenges: readonly Challenge[], method: ClientMethod): boolean {
  return method !== "none" && challenges.some(({ scheme }) => scheme === SCHEMES[method]);
}

function noneAcceptable(methods: readonly ClientMethod[], challenges: readonly Challenge[]): PolicyError {
  const schemes = [...new Set(challenges.map(({ scheme }) => scheme.slice(0, 20)))].slice(0, 5);
  const wants = schemes.length === 0 ? "does not say what it wants" : `wants ${schemes.join(" or ")}`;
  return new PolicyError(
    "NO_ACCEPTABLE_METHOD",
    `the proxy ${wants} (407); we are told to show it ${methods.join(", ")}`,
  );
}

function refusal({ status }: Answer, authority: string): GssocksError {
  const what = `${authority}: ${STATUS_CODES[status] ?? "unknown status"} (${status})`;
  switch (status) {
    case 403:
      return new PolicyError("RULE_DENIED", `the proxy's rules deny ${what}; its log says which`, {
        rep: REP.NOT_ALLOWED,
      });
    case 508:
      return new PolicyError("LOOP", `the proxy says that it would go round in a loop to ${what}`);
    case 502:
    case 503:
      return unreachable(what, REP.HOST_UNREACHABLE);
    case 504:
      return unreachable(what, REP.TTL_EXPIRED);
    default:
      return new PeerError("REQUEST_REFUSED", `the proxy refused ${what}`);
  }
}

function unreachable(what: string, rep: number): NetworkError {
  return new NetworkError("DESTINATION_REFUSED", `the proxy could not reach ${what}`, { rep });
}

/** What was given up says why; what broke is the connection to the proxy. */
function causeOf(error: Error, { signal, proxy }: ProxyOptions, late: AbortSignal): Error {
  if (signal?.aborted) return aborted(signal);
  if (error instanceof GssocksError) return error;
  return late.aborted ? timedOut(proxy) : lostProxy(proxy, error);
}
