/** How the ways to other proxies fare, for whoever looks at them. Null is not known, or not there. Times are ISO 8601. */

export interface UpstreamInfo {
  /** By its name in the configuration. */
  upstream: string;
  /** The process that tells it: each finds out for itself. */
  pid: number;
  /** In which order those that are listed are tried: `first` or `round-robin`. */
  order: string;
  /** Where DNS names proxies: which domain is asked, and why the last look-up found none. */
  srv: { domain: string; error: Reason | null } | null;
  /** The upstream's own ticket; null where it shows none, or the clients'. */
  ticket: TicketInfo | null;
  /** In the order of the configuration, those of DNS behind. */
  proxies: ProxyInfo[];
}

export interface ProxyInfo {
  /** `host:port`. */
  proxy: string;
  /** `configuration`, or the name in DNS that it was found by. */
  from: string;
  /** Whether it can be used, by what came of the last connection or check; `unknown` before the first. */
  state: "unknown" | "up" | "down";
  /** When that began. */
  since: string;
  /** The last failure, whatever came since. */
  error: (Reason & { time: string }) | null;
  /** Connections and checks that failed, since the configuration was last read. */
  failures: number;
  /** Those of them that came since a connection succeeded. */
  failuresInARow: number;
  /** When one that is down is tried next. */
  nextCheck: string | null;
  /** That are open. */
  sessions: number;
  /** Plain octets of all sessions since the configuration was last read, to the proxy and from it. */
  bytesUp: number;
  bytesDown: number;
}

export interface TicketInfo {
  /** Whose it is. */
  principal: string | null;
  /** Where it is, with the type, as `FILE:/tmp/krb5cc_1000`. */
  ccache: string | null;
  /** Until it ends; 0 where it has ended. */
  secondsLeft: number | null;
  /** Until when it can be renewed; null where it can't. */
  renewableUntil: string | null;
  /** Why there is none that can be used. */
  error: Reason | null;
}

export interface Reason {
  /** Stable. */
  code: string;
  message: string;
}
