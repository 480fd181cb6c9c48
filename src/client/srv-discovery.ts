/**
 * The proxies of a domain, as DNS has them: `_gssocks._tcp` of it or, where there is none, `_socks._tcp` (RFC 2782). The
 * answer is asked for again before it ends; where that fails, the one before is kept, since an unlikely proxy is better
 * than none. Hosts that are not trusted are left out.
 */
import type { Services } from "../gss/service-lookup.js";
import type { Clock } from "./clock.js";
import type { HostPort } from "./proxy-options.js";
import type { SrvPlace } from "./proxy-order.js";
import { hostName, type TrustedHosts } from "./trusted-hosts.js";

const SERVICES = ["_gssocks._tcp", "_socks._tcp"] as const;

/** How long an answer may hold, in seconds, and after how much of that it is asked for again. */
const SHORTEST = 10;
const LONGEST = 3600;
const REFRESH_AT = 0.9;

/** Milliseconds until a look-up that failed is made again, doubled each time. */
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

export interface FoundProxy extends HostPort, SrvPlace {
  /** The name that DNS was asked for. */
  readonly service: string;
}

export interface DiscoveryOptions {
  domain: string;
  trusted: TrustedHosts;
  /** Rejects with an Error that has a `code`. */
  lookUp(name: string): Promise<Services>;
  clock: Clock;
  found(service: string, proxies: readonly FoundProxy[], refused: readonly string[]): void;
  failed(error: DiscoveryError): void;
}

export interface DiscoveryError {
  readonly code: string;
  readonly message: string;
}

export class SrvDiscovery {
  readonly #options: DiscoveryOptions;
  #running: Promise<void> | null = null;
  #failures = 0;
  #error: DiscoveryError | null = null;
  #takeBack: () => void = () => {};
  #looked = -Infinity;
  #closed = false;

  /** Begins to look. */
  constructor(options: DiscoveryOptions) {
    this.#options = options;
    void this.lookNow();
  }

  /** Of the last look-up; null where it found something. */
  get error(): DiscoveryError | null {
    return this.#error;
  }

  /**
   * Looks without waiting for its time, unless that is being done, or was within the last second. Fulfilled when it is
   * over, well or not.
   */
  lookNow(): Promise<void> {
    if (this.#running === null && this.#options.clock.now() < this.#looked + FIRST_PAUSE)
      return Promise.resolve();
    return this.#lookOnce();
  }

  #lookOnce(): Promise<void> {
    this.#running ??= this.#look().finally(() => {
      this.#running = null;
      this.#looked = this.#options.clock.now();
    });
    return this.#running;
  }

  close(): void {
    this.#closed = true;
    this.#takeBack();
  }

  async #look(): Promise<void> {
    this.#takeBack();
    try {
      const [service, { services, ttl }] = await this.#lookUp();
      if (this.#closed) return;
      this.#failures = 0;
      this.#error = null;
      this.#tell(service, services);
      this.#again(Math.min(LONGEST, Math.max(SHORTEST, ttl)) * 1000 * REFRESH_AT);
    } catch (error) {
      if (this.#closed) return;
      const { code = "UNKNOWN", message } = error as NodeJS.ErrnoException;
      this.#error = { code, message };
      this.#options.failed(this.#error);
      this.#again(Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(this.#failures, 16)));
      this.#failures += 1;
    }
  }

  /** The second name only where DNS says that there is nothing by the first. */
  async #lookUp(): Promise<[service: string, found: Services]> {
    const names = SERVICES.map((service) => `${service}.${this.#options.domain}`);
    for (const name of names) {
      try {
        return [name, await this.#options.lookUp(name)];
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === "HOST_NOT_FOUND" || code === "NO_DATA") continue;
        throw Object.assign(new Error(`${name} could not be looked up: ${message}`), { code });
      }
    }
    const message = `DNS has no SRV record ${names.join(" or ")}`;
    throw Object.assign(new Error(message), { code: "NO_SRV_RECORD" });
  }

  #tell(service: string, services: Services["services"]): void {
    const proxies: FoundProxy[] = [];
    const refused: string[] = [];
    for (const { target, port, priority, weight } of services) {
      // RFC 2782: the root says that the service is decidedly not available.
      if (target === "" || target === ".") continue;
      const host = hostName(target);
      if (host !== null && port !== 0 && this.#options.trusted.includes(host))
        proxies.push({ host, port, priority, weight, service });
      else refused.push(`${target}:${port}`);
    }
    this.#options.found(service, proxies, refused);
  }

  #again(pause: number): void {
    // Not lookNow: what is not done at its time would not be done at all.
    this.#takeBack = this.#options.clock.after(pause, () => void this.#lookOnce());
  }
}
