/** How a proxy is reached, what it is asked for, and what comes of it. */
import type { Socket } from "node:net";
import { PolicyError, UsageError } from "../errors.js";
import type { Credential } from "../gss/credential.js";
import { mechanismName } from "../gss/oids.js";
import type { SecurityContext } from "../gss/security-context.js";
import { type Endpoint, isThisHost, parseHost } from "../protocol/address.js";
import type { ClientMethod } from "../protocol/client-state.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { type Credentials, checkUsername, LONGEST_PASSWORD } from "../protocol/username-password.js";
import type { MessageProtection } from "../relay/message-protection.js";
import type { ProxyTlsOptions } from "./proxy-tls.js";

export type { ClientMethod } from "../protocol/client-state.js";

export interface HostPort {
  /** A name or an IP address. */
  host: string;
  port: number;
}

/** How to reach the proxy, and what to accept from it. */
export interface ProxyOptions {
  proxy: HostPort;
  /** What it speaks. Default `socks5`. */
  protocol?: "socks5" | "http";
  /**
   * How we may show who we are, in the order that is offered; a proxy that wants another is refused. Default `gssapi`
   * alone. The others protect nothing that is sent. To an HTTP proxy they are Negotiate, Basic and no authentication.
   */
  methods?: readonly ClientMethod[];
  /** For the method `password`. */
  username?: string;
  /** 1 to 255 octets. */
  password?: string | Uint8Array;
  /** Send it to another host without TLS, where whoever is on the way can read it. Default false. */
  sendClearTextPassword?: boolean;
  /**
   * Protection levels accepted of the method `gssapi`; the first is offered. Default: confidentiality alone. HTTP has
   * none to offer.
   */
  levels?: readonly [ProtectionLevel, ...ProtectionLevel[]];
  /** The service of the proxy's host-based name, `service@host`. Default `rcmd`, as curl and Dante ask for; HTTP's is `HTTP`. */
  service?: string;
  /** The proxy's name in full, `service@host` or a principal, `service/host@REALM`, in place of `service` at `proxy.host`. */
  targetName?: string;
  /** The caller's ticket; the library's default (the user's ccache) where absent. */
  credential?: Credential;
  /** A mechanism's OID; the library's default where absent. */
  mechanism?: string;
  /** Send the protection level bare, as NEC's implementation did. */
  nec?: boolean;
  /** Protect data without the library's calls, where the context allows it. Default true. */
  fastPath?: boolean;
  /** Give the proxy our ticket to use (GSS_C_DELEG_FLAG). Default false. */
  delegate?: boolean;
  /** Proxies that the session has come through, ourselves included; told to the next one where given, so that a loop ends. */
  hops?: number;
  /** Milliseconds until the destination must be open. Default 60 s. */
  timeout?: number;
  /** Gives up, and ends what is open by then: the error's code is ABORTED. */
  signal?: AbortSignal | undefined;
  /** TLS to the proxy; GSS-API is bound to it. */
  tls?: ProxyTlsOptions | undefined;
  /** Called when the request is about to be sent: until then, nothing can have come of it. */
  requested?: () => void;
}

/** What the proxy is asked for. */
export interface Wanted {
  cmd: number;
  dst: Endpoint;
  /** Of {@link DEFAULT_INITIATOR_FLAGS}, those that are not to be asked for. */
  withoutFlags?: number;
}

/** What was agreed on the way. */
export interface ProxySession {
  method: ClientMethod;
  /** Our principal; null without GSS-API, as the two below. */
  initiator: string | null;
  /** The proxy's principal; null where it has not proven that. */
  acceptor: string | null;
  /** The mechanism's name, as `krb5`. */
  mechanism: string | null;
  level: ProtectionLevel;
  /** BND.ADDR and BND.PORT of the last reply: of a BIND, who has connected. HTTP tells none: 0.0.0.0:0. */
  bnd: Endpoint;
}

/** Who the two ends are, where GSS-API has told. */
export type SessionNames = Pick<ProxySession, "initiator" | "acceptor" | "mechanism">;

export const NOBODY: SessionNames = { initiator: null, acceptor: null, mechanism: null };

export function namesOf(context: SecurityContext): SessionNames {
  const { initiator, acceptor, mechanism } = context.inquire();
  return { initiator, acceptor, mechanism: mechanismName(mechanism) };
}

/** After the reply. Socket, context and protection are the caller's. */
export interface Opened {
  /** Paused. */
  socket: Socket;
  /** Null without GSS-API, and of an HTTP proxy: it has been there for its names alone. */
  context: SecurityContext | null;
  protection: MessageProtection;
  session: ProxySession;
  /** Plain octets that came behind the reply. */
  rest: Buffer;
}

/** @throws UsageError (BAD_ARGUMENT) */
export function methodsOf({
  methods = ["gssapi"],
}: ProxyOptions): readonly [ClientMethod, ...ClientMethod[]] {
  const [first, ...others] = methods;
  if (first === undefined) throw new UsageError("BAD_ARGUMENT", "methods: expected at least one");
  return [first, ...others];
}

/**
 * In memory of the caller's own.
 * @returns undefined where the method `password` is not among those offered
 * @throws UsageError (BAD_USERNAME, BAD_PASSWORD), PolicyError (CLEAR_TEXT_PASSWORD)
 */
export function credentialsOf(options: ProxyOptions): Credentials | undefined {
  if (!methodsOf(options).includes("password")) return undefined;
  const { username, password } = options;
  if (username === undefined || password === undefined)
    throw new UsageError("BAD_ARGUMENT", "the method password needs username and password");
  checkUsername(username);
  checkWay(options);
  const octets = Buffer.from(password);
  if (octets.length >= 1 && octets.length <= LONGEST_PASSWORD) return { username, password: octets };
  octets.fill(0);
  throw new UsageError("BAD_PASSWORD", `a password has 1 to ${LONGEST_PASSWORD} octets`);
}

/** Whichever method the proxy would choose: that is not to depend on who answers. */
function checkWay({ proxy, tls, sendClearTextPassword = false }: ProxyOptions): void {
  if (tls !== undefined || sendClearTextPassword || isThisHost(parseHost(proxy.host))) return;
  throw new PolicyError(
    "CLEAR_TEXT_PASSWORD",
    `the password would cross the network in clear to ${proxy.host}: speak TLS to the proxy (tls), or say sendClearTextPassword`,
  );
}
