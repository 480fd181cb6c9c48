/** One proxy of an upstream: where it is, whether it can be used, and what goes through it. */
import type { Clock } from "./clock.js";
import { ProxyHealth, type ProxyState } from "./proxy-health.js";
import type { HostPort } from "./proxy-options.js";
import type { SrvPlace } from "./proxy-order.js";

/** Plain octets. */
export interface Carried {
  /** To the proxy. */
  readonly up: number;
  readonly down: number;
}

export interface ProxyStatus {
  /** `host:port`. */
  readonly address: string;
  /** `configuration`, or the name in DNS that it was found by. */
  readonly from: string;
  readonly state: ProxyState;
  /** When that began, ISO 8601. */
  readonly since: string;
  /** The last one, whatever came since. */
  readonly error: { readonly code: string; readonly message: string; readonly time: string } | null;
  /** That are open. */
  readonly sessions: number;
  /** Of those that have ended, as far as their ends were told. */
  readonly octets: Carried;
}

export interface MemberOptions {
  address: HostPort;
  targetName?: string | undefined;
  from: string;
  clock: Clock;
  check(signal: AbortSignal): Promise<void>;
  changed(member: ProxyMember): void;
}

export class ProxyMember {
  readonly address: HostPort;
  /** The proxy's name in full; null where it is its host's. */
  readonly targetName: string | null;
  readonly health: ProxyHealth;
  /** Where DNS places it; null for one that was listed, and one that DNS has no more. */
  place: SrvPlace | null = null;
  from: string;
  #sessions = 0;
  #up = 0;
  #down = 0;

  constructor(options: MemberOptions) {
    this.address = options.address;
    this.targetName = options.targetName ?? null;
    this.from = options.from;
    const { clock, check } = options;
    this.health = new ProxyHealth({ clock, check, changed: () => options.changed(this) });
  }

  /** `host:port`. */
  get name(): string {
    return proxyName(this.address);
  }

  get sessions(): number {
    return this.#sessions;
  }

  /** Counts a session. @returns to be called when it is over */
  begin(): (carried?: Carried) => void {
    let open = true;
    this.#sessions += 1;
    return (carried) => {
      if (!open) return;
      open = false;
      this.#sessions -= 1;
      this.#up += carried?.up ?? 0;
      this.#down += carried?.down ?? 0;
    };
  }

  status(): ProxyStatus {
    const { state, since, failure } = this.health;
    return {
      address: this.name,
      from: this.from,
      state,
      since: new Date(since).toISOString(),
      error:
        failure === null
          ? null
          : { code: failure.code, message: failure.message, time: new Date(failure.time).toISOString() },
      sessions: this.#sessions,
      octets: { up: this.#up, down: this.#down },
    };
  }
}

export function proxyName({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
