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
  /** Of connections and checks, since the beginning. */
  readonly failures: number;
  /** Of those, since a connection succeeded. */
  readonly failuresInARow: number;
  /** When one that is down is looked at, ISO 8601; null where it is not down, or is being looked at. */
  readonly nextCheck: string | null;
  /** That are open. */
  readonly sessions: number;
  /** Of all sessions, as far as they are told. */
  readonly octets: Carried;
}

/** A session, as its proxy sees it. */
export interface Passing {
  /** Says where it is told what is carried. */
  carries(carried: () => Carried): void;
  /** To be called when it is over. Idempotent. */
  over(): void;
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
  /** What each open session has carried. */
  readonly #open = new Set<{ carried: () => Carried }>();
  #ended: Carried = NOTHING;

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
    return this.#open.size;
  }

  begin(): Passing {
    const session = { carried: () => NOTHING };
    this.#open.add(session);
    return {
      carries: (carried) => {
        session.carried = carried;
      },
      over: () => {
        if (this.#open.delete(session)) this.#ended = sum(this.#ended, session.carried());
      },
    };
  }

  status(): ProxyStatus {
    const { state, since, failure, failures, nextCheck } = this.health;
    return {
      address: this.name,
      from: this.from,
      state,
      since: new Date(since).toISOString(),
      error:
        failure === null
          ? null
          : { code: failure.code, message: failure.message, time: new Date(failure.time).toISOString() },
      failures: failures.all,
      failuresInARow: failures.inARow,
      nextCheck: nextCheck === null ? null : new Date(nextCheck).toISOString(),
      sessions: this.#open.size,
      octets: [...this.#open].reduce((all, { carried }) => sum(all, carried()), this.#ended),
    };
  }
}

const NOTHING: Carried = { up: 0, down: 0 };

function sum(one: Carried, other: Carried): Carried {
  return { up: one.up + other.up, down: one.down + other.down };
}

export function proxyName({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
