/**
 * Several proxies that stand for each other, listed or named by DNS: what is asked for goes through the first that can be
 * used. Those that failed come last until a check has found them again; when all have, they are tried all the same.
 */
import { GssError } from "../errors.js";
import type { Credential } from "../gss/credential.js";
import type { UpstreamObserver } from "../observability/events.js";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { firstOf } from "./failover.js";
import { type BindWanted, type Bound, bindThrough, openThrough } from "./handshake.js";
import { checkProxy } from "./proxy-check.js";
import type { Passing } from "./proxy-member.js";
import type { HostPort, Opened, ProxyOptions, Wanted } from "./proxy-options.js";
import { type PoolOptions, type PoolStatus, ProxyPool } from "./proxy-pool.js";
import { isAboutTicket } from "./proxy-verdict.js";
import { udpAssociate } from "./socks-client.js";
import { Ticket } from "./ticket.js";
import type { UdpAssociation } from "./udp-association.js";

const DEFAULT_TIMEOUT = 60_000;
const ATTEMPT_TIMEOUT = 10_000;

/** How each of the proxies is spoken to. */
export type ThroughOptions = Omit<
  ProxyOptions,
  "proxy" | "targetName" | "credential" | "hops" | "signal" | "requested"
>;

export interface UpstreamOptions extends PoolOptions {
  through?: ThroughOptions;
  /** Default: the library's default ticket. */
  ticket?: Ticket;
  /** Milliseconds that a proxy may take until it is sent the request, while there are others to try. Default 10 s. */
  attemptTimeout?: number;
  observer?: UpstreamObserver;
  clock?: Clock;
}

/** For whom. */
export interface Asking {
  /** In place of the upstream's own ticket, as one that was delegated to us. */
  credential?: Credential | undefined;
  /** As {@link ProxyOptions.hops}. */
  hops?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Which proxy, and what it is told of what was opened. */
export interface Used extends Passing {
  readonly proxy: HostPort;
}

export class Upstream {
  readonly ticket: Ticket;
  readonly #pool: ProxyPool;
  readonly #through: ThroughOptions;
  readonly #attemptTimeout: number;
  readonly #clock: Clock;

  /** @throws UsageError (BAD_ARGUMENT) */
  constructor(options: UpstreamOptions) {
    const {
      through = {},
      clock = SYSTEM_CLOCK,
      observer = () => {},
      attemptTimeout = ATTEMPT_TIMEOUT,
    } = options;
    this.#through = through;
    this.#attemptTimeout = attemptTimeout;
    this.#clock = clock;
    this.ticket = options.ticket ?? new Ticket({}, observer);
    const check = (proxy: HostPort, signal: AbortSignal) => checkProxy({ ...through, proxy }, signal);
    this.#pool = new ProxyPool(options, { clock, observer, check });
  }

  /**
   * @returns the caller's; `over` is to be called at its end
   * @throws as `connect`, of the proxy that decided; NetworkError (NO_PROXY) where none could be used
   */
  async open(wanted: Wanted, asking: Asking = {}): Promise<Opened & Used> {
    const { result, proxy } = await this.#first(asking, (options) => openThrough(options, wanted));
    this.#used(result, asking);
    return { ...result, proxy: proxy.address, ...proxy.begin() };
  }

  /**
   * As {@link open}; the session begins with the first reply, and is over where nobody comes.
   * @throws as {@link open}
   */
  async bind(wanted: BindWanted, asking: Asking = {}): Promise<Bound & Used> {
    const { result, proxy } = await this.#first(asking, (options) => bindThrough(options, wanted));
    const passing = proxy.begin();
    result.peer.then(
      (opened) => this.#used(opened, asking),
      () => passing.over(),
    );
    return { ...result, proxy: proxy.address, ...passing };
  }

  /**
   * As {@link open}; its own end is the session's.
   * @throws as {@link open}
   */
  async associate(asking: Asking = {}): Promise<UdpAssociation> {
    const { result, proxy } = await this.#first(asking, (options) => udpAssociate(options));
    const { carries, over } = proxy.begin();
    carries(() => result.carried);
    result.once("close", over);
    this.#used(result, asking);
    return result;
  }

  status(): PoolStatus {
    return this.#pool.status();
  }

  /** No more checks and look-ups. What goes through the proxies stays open. Idempotent. */
  close(): void {
    this.#pool.close();
  }

  async #first<Result>(asking: Asking, attempt: (options: ProxyOptions) => Promise<Result>) {
    const { signal, hops } = asking;
    const { timeout = DEFAULT_TIMEOUT, methods = ["gssapi"] } = this.#through;
    const deadline = performance.now() + timeout;
    const proxies = await this.#pool.inOrder(timeout, signal);
    const foreign = asking.credential !== undefined;
    let own: Credential | undefined;
    try {
      if (!foreign && methods.includes("gssapi")) own = await this.ticket.acquire();
      const credential = asking.credential ?? own;
      return await firstOf({
        proxies,
        options: {
          ...this.#through,
          ...(credential === undefined ? {} : { credential }),
          ...(hops === undefined ? {} : { hops }),
          ...(signal === undefined ? {} : { signal }),
        },
        foreign,
        attemptTimeout: this.#attemptTimeout,
        deadline,
        clock: this.#clock,
        attempt,
      });
    } catch (error) {
      if (!foreign && error instanceof GssError && isAboutTicket(error)) this.ticket.failed(error);
      throw error;
    } finally {
      own?.close();
    }
  }

  #used({ session }: Pick<Opened, "session">, { credential }: Asking): void {
    if (credential === undefined && session.initiator !== null) this.ticket.used(session.initiator);
  }
}
