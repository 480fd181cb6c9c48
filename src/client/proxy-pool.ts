/** The proxies of an upstream: those that are listed, those that DNS names, and the order in which they are tried. */
import { NetworkError, UsageError } from "../errors.js";
import { lookUpServices } from "../gss/service-lookup.js";
import type { UpstreamObserver } from "../observability/events.js";
import type { Clock } from "./clock.js";
import { ProxyMember, type ProxyStatus, proxyName } from "./proxy-member.js";
import type { HostPort } from "./proxy-options.js";
import { healthyFirst, type ListOrder, listedOrder, srvOrder } from "./proxy-order.js";
import { type DiscoveryError, type FoundProxy, SrvDiscovery } from "./srv-discovery.js";
import { hostName, TrustedHosts } from "./trusted-hosts.js";

export interface ListedProxy extends HostPort {
  /** Its name in full, `service@host` or `service/host@REALM`, in place of the service at its host. */
  targetName?: string | undefined;
}

export interface PoolOptions {
  /** The upstream's, for log lines. */
  name: string;
  proxies?: readonly ListedProxy[];
  /** A domain whose SRV records name proxies (`_gssocks._tcp` or `_socks._tcp`), which come behind those listed. */
  srv?: string | undefined;
  /** Hosts, and `*.domain`, that SRV records may name: no other is sent a token. Default: `srv` and all below it. */
  trusted?: readonly string[] | undefined;
  /** Of those listed; the others have DNS's. Default `first`. */
  order?: ListOrder | undefined;
}

export interface Surroundings {
  readonly clock: Clock;
  readonly observer: UpstreamObserver;
  /** Rejects with why the proxy can't be used. */
  check(proxy: HostPort, signal: AbortSignal): Promise<void>;
}

export interface PoolStatus {
  readonly name: string;
  readonly order: ListOrder;
  /** Where proxies are found by DNS; `error`: of the last look-up. */
  readonly srv: { readonly domain: string; readonly error: DiscoveryError | null } | null;
  readonly proxies: readonly ProxyStatus[];
}

export class ProxyPool {
  readonly #options: PoolOptions;
  readonly #surroundings: Surroundings;
  readonly #listed: readonly ProxyMember[];
  /** By {@link proxyName}; also those that DNS names no more, while sessions go through them. */
  readonly #found = new Map<string, ProxyMember>();
  readonly #discovery: SrvDiscovery | null;
  /** What was told of last, so that only changes are told. */
  #told = "";
  #turn = 0;

  /** @throws UsageError (BAD_ARGUMENT) */
  constructor(options: PoolOptions, surroundings: Surroundings) {
    const { name, proxies = [], srv } = options;
    if (proxies.length === 0 && srv === undefined)
      throw new UsageError("BAD_ARGUMENT", `upstream ${name}: expected proxies or srv`);
    this.#options = options;
    this.#surroundings = surroundings;
    this.#listed = proxies.map(({ host, port, targetName }) =>
      this.#member({ host, port }, "configuration", targetName),
    );
    this.#discovery = srv === undefined ? null : this.#discover(srv);
  }

  /**
   * All there are, in the order to try them. Where none is known, DNS is asked again.
   * @param timeout milliseconds that its answer is waited for
   * @throws NetworkError (NO_PROXY)
   */
  async inOrder(timeout: number, signal: AbortSignal | undefined): Promise<ProxyMember[]> {
    let ordered = this.#ordered();
    if (ordered.length === 0 && this.#discovery !== null) {
      await within(this.#discovery.lookNow(), timeout, signal);
      ordered = this.#ordered();
    }
    if (ordered.length > 0) return ordered;
    const why = this.#discovery?.error?.message ?? "DNS names none that is trusted";
    throw new NetworkError("NO_PROXY", `no proxy is known: ${why}`);
  }

  status(): PoolStatus {
    this.#forget();
    const { name, order = "first", srv } = this.#options;
    return {
      name,
      order,
      srv: srv === undefined ? null : { domain: srv, error: this.#discovery?.error ?? null },
      proxies: [...this.#listed, ...this.#found.values()].map((member) => member.status()),
    };
  }

  /** No more checks and look-ups. Idempotent. */
  close(): void {
    this.#discovery?.close();
    for (const { health } of [...this.#listed, ...this.#found.values()]) health.close();
  }

  #ordered(): ProxyMember[] {
    const { order = "first" } = this.#options;
    const placed = [...this.#found.values()].flatMap((member) =>
      member.place === null ? [] : [{ ...member.place, member }],
    );
    const found = srvOrder(placed, () => this.#surroundings.clock.random()).map(({ member }) => member);
    const listed = listedOrder(this.#listed, order, this.#turn++);
    return healthyFirst([...listed, ...found], ({ health }) => health.state === "down");
  }

  #member(address: HostPort, from: string, targetName?: string): ProxyMember {
    const { name } = this.#options;
    return new ProxyMember({
      address,
      targetName,
      from,
      clock: this.#surroundings.clock,
      check: (signal) => this.#surroundings.check(address, signal),
      changed: (member) => {
        const { state, failure } = member.health;
        const { code = null, message: reason = null } = state === "down" ? (failure ?? {}) : {};
        this.#surroundings.observer({
          type: "proxy-state",
          upstream: name,
          proxy: member.name,
          state: state === "down" ? "down" : "up",
          code,
          reason,
        });
      },
    });
  }

  /** @throws UsageError (BAD_ARGUMENT) */
  #discover(srv: string): SrvDiscovery {
    const { name, trusted } = this.#options;
    const domain = hostName(srv);
    if (domain === null) throw new UsageError("BAD_ARGUMENT", `upstream ${name}: srv: "${srv}" is no domain`);
    return new SrvDiscovery({
      domain,
      trusted: new TrustedHosts(trusted ?? [domain, `*.${domain}`]),
      lookUp: lookUpServices,
      clock: this.#surroundings.clock,
      found: (service, proxies, refused) => this.#foundAll(service, proxies, refused),
      failed: ({ code, message: reason }) =>
        this.#tell(code, () =>
          this.#surroundings.observer({ type: "proxies-not-found", upstream: name, code, reason }),
        ),
    });
  }

  #foundAll(service: string, proxies: readonly FoundProxy[], refused: readonly string[]): void {
    for (const member of this.#found.values()) member.place = null;
    const listed = new Set(this.#listed.map((member) => member.name));
    for (const { host, port, priority, weight } of proxies) {
      const key = proxyName({ host, port });
      if (listed.has(key)) continue;
      const member = this.#found.get(key) ?? this.#member({ host, port }, service);
      member.place = { priority, weight };
      member.from = service;
      this.#found.set(key, member);
    }
    this.#forget();
    const names = proxies.map(proxyName).sort();
    this.#tell(JSON.stringify([service, names, [...refused].sort()]), () =>
      this.#surroundings.observer({
        type: "proxies-found",
        upstream: this.#options.name,
        service,
        proxies: names,
        refused,
      }),
    );
  }

  #forget(): void {
    for (const [key, member] of this.#found) {
      if (member.place !== null || member.sessions > 0) continue;
      member.health.close();
      this.#found.delete(key);
    }
  }

  #tell(what: string, tell: () => void): void {
    if (what === this.#told) return;
    this.#told = what;
    tell();
  }
}

/** Waits so long at most, and no longer than the signal. */
async function within(
  work: Promise<void>,
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(over, milliseconds);
    function over(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    }
    signal?.addEventListener("abort", over, { once: true });
    if (signal?.aborted) over();
    void work.then(over);
  });
}
