/** What the sessions that begin now have in common, until other options take the place of these. */
import { GssapiMethod } from "../auth/gssapi.js";
import { IdentClient } from "../auth/ident-client.js";
import type { Throttle } from "../auth/password-throttle.js";
import { PasswordMethod } from "../auth/username-password.js";
import type { IsOwnListener } from "../policy/protected-destinations.js";
import { Ruleset } from "../policy/ruleset.js";
import type { AuthServices } from "./authentication.js";
import { Directory } from "./directory.js";
import { Limits } from "./limits.js";
import { methodsOf } from "./methods.js";
import { Penalties } from "./penalties.js";
import type { ListenerOptions, ServerOptions } from "./server.js";
import type { QuotaParts } from "./session-quota.js";
import type { Session } from "./sessions.js";
import { TlsAcceptor } from "./tls-acceptor.js";
import { NO_UPSTREAMS, type Upstreams } from "./upstream.js";
import { userIds } from "./user-ids.js";

/** How often it is looked whether anybody still needs what is to be closed, in ms. */
const LOOK_AGAIN = 1000;

export interface GenerationParts {
  quotas: QuotaParts;
  throttle: Throttle;
  isOwnListener: IsOwnListener;
  /** {@link TlsAcceptor} */
  renewed: (listener: ListenerOptions, failure: Error | null) => void;
}

export class Generation {
  readonly options: ServerOptions;
  readonly limits: Limits;
  readonly penalties: Penalties;
  readonly ruleset: Ruleset;
  readonly upstreams: Upstreams;
  directory = new Directory({ sources: [], maxAge: 0 });
  readonly services: AuthServices = { gssapi: null, password: null, ident: null };
  readonly #tls = new Map<ListenerOptions, TlsAcceptor>();
  readonly #owners = new Map<ListenerOptions, ReadonlySet<number>>();
  #retiring: NodeJS.Timeout | undefined;

  /**
   * Acquires what the listeners' methods need.
   * @throws GssError (keytab), NetworkError (TLS_FILES) …; nothing stays open then
   */
  static async open(options: ServerOptions, parts: GenerationParts): Promise<Generation> {
    const generation = new Generation(options, parts);
    try {
      await generation.#open(parts);
      return generation;
    } catch (error) {
      generation.close();
      throw error;
    }
  }

  private constructor(options: ServerOptions, { quotas, isOwnListener }: GenerationParts) {
    this.options = options;
    this.limits = new Limits(options.limits, quotas);
    this.penalties = new Penalties(options.penalties, quotas.places);
    this.ruleset = new Ruleset(options.rules, isOwnListener, options.networksMatchNames === false);
    this.upstreams = options.upstreams?.() ?? NO_UPSTREAMS;
  }

  async #open({ throttle, renewed }: GenerationParts): Promise<void> {
    const { listeners, gssapi, passwords, ident, groups } = this.options;
    const { services } = this;
    if (groups !== null)
      this.directory = new Directory({ sources: await groups.open(), maxAge: groups.maxAge });
    const methods = new Set(listeners.flatMap(methodsOf));
    if (methods.has("gssapi")) services.gssapi = await GssapiMethod.create(gssapi);
    if (methods.has("password") && passwords !== null) {
      services.password = new PasswordMethod(await passwords(), { throttle });
    }
    if (listeners.some(({ socks4 }) => socks4?.identity === "ident")) services.ident = new IdentClient(ident);
    for (const listener of listeners) {
      if (listener.owners !== null) this.#owners.set(listener, await userIds(listener.owners));
      if (listener.tls === null) continue;
      this.#tls.set(listener, new TlsAcceptor(listener.tls, (failure) => renewed(listener, failure)));
    }
  }

  /** null: TCP alone. */
  tlsOf(listener: ListenerOptions): TlsAcceptor | null {
    return this.#tls.get(listener) ?? null;
  }

  /** null: whoever comes. */
  ownersOf(listener: ListenerOptions): ReadonlySet<number> | null {
    return this.#owners.get(listener) ?? null;
  }

  /** Another one is in its place: closes it when none of `sessions` is in its handshake any more. */
  retire(sessions: readonly Session[], closed: () => void): void {
    for (const tls of this.#tls.values()) tls.close();
    let left = sessions;
    const look = () => {
      left = left.filter(({ progress }) => progress?.state === "handshake");
      if (left.length > 0) return;
      this.close();
      closed();
    };
    this.#retiring = setInterval(look, LOOK_AGAIN).unref();
    look();
  }

  /** Idempotent. */
  close(): void {
    clearInterval(this.#retiring);
    for (const tls of this.#tls.values()) tls.close();
    this.upstreams.close();
    this.services.gssapi?.close();
    this.services.password?.close();
  }
}
