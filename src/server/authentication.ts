/** Finds out who one client is, by the method it chose. */
import type { Socket } from "node:net";
import {
  type AuthStep,
  type ChannelBindings,
  type Delegated,
  type GssapiExchange,
  type GssapiMethod,
  NOTHING_DELEGATED,
} from "../auth/gssapi.js";
import type { IdentClient } from "../auth/ident-client.js";
import { type Identity, plainIdentity } from "../auth/identity.js";
import { type Socks4Policy, socks4Identity } from "../auth/socks4-identity.js";
import type { PasswordMethod } from "../auth/username-password.js";
import { UsageError } from "../errors.js";
import type { SecurityContext } from "../gss/security-context.js";
import type { AuthMethodName } from "../policy/auth-methods.js";
import { plainAddress } from "../protocol/address.js";
import { METHOD } from "../protocol/constants.js";
import type { AgreedLevel } from "../protocol/protection-level.js";
import type { MethodName } from "./methods.js";

/** What vouches for clients; null where nothing in the configuration needs it. */
export interface AuthServices {
  gssapi: GssapiMethod | null;
  password: PasswordMethod | null;
  ident: IdentClient | null;
}

export interface AuthenticationOptions {
  services: AuthServices;
  /** METHODs this client may choose, in the server's order. */
  methods: ReadonlyMap<number, MethodName>;
  /** null: SOCKS4 is not taken. */
  socks4: Socks4Policy | null;
  /** Where the client comes from, as limits see it. */
  source: string;
  /** Whom the client's TLS certificate speaks for. */
  certified: Identity | null;
  /** Of the TLS session, for GSS-API. */
  bindings: (() => ChannelBindings) | null;
}

export class Authentication {
  readonly #socket: Socket;
  readonly #options: AuthenticationOptions;
  #exchange: GssapiExchange | null = null;
  /** By which the client is to be authenticated; null until that is known. */
  method: AuthMethodName | null = null;

  constructor(socket: Socket, options: AuthenticationOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  /** @returns who it is, where METHOD 0x00 says all there is to say */
  begin(method: number): Identity | null {
    const { services, methods, bindings, certified } = this.#options;
    this.method = methods.get(method) ?? null;
    if (method === METHOD.GSSAPI) this.#exchange = needed(services.gssapi).begin(bindings?.() ?? null);
    if (method !== METHOD.NO_AUTHENTICATION) return null;
    return this.method === "certificate" ? needed(certified) : plainIdentity("none", null);
  }

  /** One token of the client's. @throws GssError, PolicyError where it is refused */
  accept(token: Buffer): Promise<AuthStep> {
    return needed(this.#exchange).step(token);
  }

  /** Those of `allowed` that the context makes possible. */
  levels(allowed: readonly AgreedLevel[]): AgreedLevel[] {
    return needed(this.#exchange).levels(allowed);
  }

  /** Who came with a context that was complete and refused all the same; null where that is not known. */
  get refused(): string | null {
    return this.#exchange?.principal ?? null;
  }

  /** null but for GSS-API. */
  get context(): SecurityContext | null {
    return this.#exchange?.context ?? null;
  }

  get delegated(): Delegated {
    return this.#exchange?.delegated ?? NOTHING_DELEGATED;
  }

  /** User and password. @throws PolicyError where they are wrong */
  verify(username: string, password: Buffer): Promise<Identity> {
    return needed(this.#options.services.password).authenticate(username, password, this.#source);
  }

  /** SOCKS4's USERID. @throws PolicyError, NetworkError, PeerError where it is refused */
  identify(user: string, signal: AbortSignal): Promise<Identity> {
    const { socks4, services } = this.#options;
    const { localAddress, localPort = 0, remotePort = 0 } = this.#socket;
    const policy = needed(socks4);
    this.method = policy.identity;
    const pair = {
      clientAddress: this.#source,
      clientPort: remotePort,
      serverAddress: plainAddress(localAddress ?? ""),
      serverPort: localPort,
    };
    return socks4Identity(user, policy, () => needed(services.ident).ask(pair, signal));
  }

  close(): void {
    this.#exchange?.close();
  }

  get #source(): string {
    return this.#options.source;
  }
}

/** The configuration sees to it that whatever a client can choose is there. */
function needed<T>(service: T | null): T {
  if (service === null) throw new UsageError("NOT_CONFIGURED", "a method was chosen that is not configured");
  return service;
}
