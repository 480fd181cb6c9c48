/**
 * Events to numbers for Prometheus. Every label has a bounded set of values: what clients say of themselves, and who they
 * are, is in none. docs/metrics.md tells what each means.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Phase, Phases, ServerEvent } from "./events.js";
import type { MetricsAsJson } from "./metrics-sum.js";
import { processMetrics } from "./process-metrics.js";

/** What an open session is at. */
export interface OpenSession {
  readonly state: (typeof STATES)[number];
  readonly level: string | null;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly sealedUp: number;
  readonly sealedDown: number;
}

/** How the proxies of an upstream fare. */
export interface MeteredUpstream {
  readonly upstream: string;
  readonly proxies: readonly {
    readonly proxy: string;
    readonly state: "unknown" | "up" | "down";
    readonly failures: number;
    readonly sessions: number;
  }[];
}

/** What is asked when the metrics are read. */
export interface MetricsSources {
  /** The open ones; one is in there until its audit record is told, and no longer. */
  sessions(): Iterable<OpenSession>;
  upstreams(): Iterable<MeteredUpstream>;
  /** Audit records that were dropped. */
  dropped(): number;
}

const STATES = ["handshake", "request", "relay"] as const;
const OUTCOMES = ["completed", "denied", "failed"] as const;
const DIRECTIONS = ["up", "down"] as const;

const HANDSHAKE_PHASES = ["tls", "method", "authentication", "level", "request"] as const;
const REQUEST_PHASES = ["decision", "dns", "connect"] as const;

/** Seconds: from what a rule takes to a person's patience. */
const DURATIONS = [
  0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Of sessions that have not come to a level, or never will: of a password, of SOCKS4. */
const NO_LEVEL = "no-gssapi";
const LEVELS = ["confidentiality", "integrity", "none", NO_LEVEL];

/** Keys of the configuration, by the code of the error with which a session runs into them. */
const LIMITS: Readonly<Record<string, string>> = {
  THROTTLED: "passwords",
  IDENT_BUSY: "ident.concurrency",
  HANDSHAKE_TIMEOUT: "timeouts.handshake",
  CONNECT_TIMEOUT: "timeouts.connect",
  BIND_TIMEOUT: "timeouts.bind",
  IDLE_TIMEOUT: "timeouts.idle",
  TOTAL_TIMEOUT: "timeouts.total",
};

/** And those that say so themselves. */
const SESSION_LIMITS = ["limits", "limits.perSource", "limits.perUser"]
  .flatMap((scope) => ["sessions", "sessionsPerMinute", "bytesPerDay"].map((name) => `${scope}.${name}`))
  .concat("penalties", "audit.queue");

/** Plain octets and those of frames. */
interface Traffic {
  plain: Record<(typeof DIRECTIONS)[number], number>;
  frames: Record<(typeof DIRECTIONS)[number], number>;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #sessions = this.#gauge("sessions", "Open sessions", ["state"]);
  readonly #opened = this.#counter("sessions_opened_total", "Sessions that began", ["listener"]);
  readonly #closed = this.#counter("sessions_closed_total", "Sessions that ended", ["outcome"]);
  readonly #failures = this.#counter("session_failures_total", "Sessions that could not go on", [
    "step",
    "code",
  ]);
  readonly #handshakes = this.#counter("handshakes_total", "Clients that were, or were not, let in", [
    "method",
    "outcome",
  ]);
  readonly #bytes = this.#counter("bytes_total", "Plain octets relayed", ["direction", "level"]);
  readonly #frames = this.#counter(
    "frame_bytes_total",
    "Octets of protected frames from and to clients (RFC 1961)",
    ["direction", "level"],
  );
  readonly #datagrams = this.#counter("datagrams_total", "Datagrams relayed", ["direction"]);
  readonly #dropped = this.#counter("datagrams_dropped_total", "Datagrams dropped", ["reason"]);
  readonly #limitHits = this.#counter("limit_hits_total", "Sessions that ran into a limit", ["limit"]);
  readonly #gssFailures = this.#counter("gss_failures_total", "Sessions that a GSS-API call failed", [
    "major",
  ]);
  readonly #decisions = this.#counter(
    "decisions_total",
    "Requests, and destinations of associations, that rules decided about",
    ["effect", "rule"],
  );
  readonly #audit = this.#counter("audit_records_dropped_total", "Audit records that found no room", []);
  readonly #proxyUp = this.#gauge(
    "upstream_proxy_up",
    "Whether a proxy of an upstream can be used, as far as is known",
    ["upstream", "proxy"],
    "min",
  );
  readonly #proxySessions = this.#gauge("upstream_proxy_sessions", "Open sessions through it", [
    "upstream",
    "proxy",
  ]);
  readonly #proxyFailures = this.#counter(
    "upstream_proxy_failures_total",
    "Connections to it, and checks, that failed",
    ["upstream", "proxy"],
  );
  readonly #phases = new Histogram({
    name: "gssocks_phase_duration_seconds",
    help: "What each part of a session took",
    labelNames: ["phase"],
    buckets: DURATIONS,
    registers: [this.#registry],
  });
  readonly #deaths = this.#counter("worker_deaths_total", "Workers that died", []);
  /** Of sessions that are over, by level. */
  readonly #carried = new Map<string, Traffic>();
  readonly #sources: MetricsSources;
  readonly #stop: () => void;

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    for (const outcome of OUTCOMES) this.#closed.inc({ outcome }, 0);
    for (const limit of [...SESSION_LIMITS, ...Object.values(LIMITS)]) this.#limitHits.inc({ limit }, 0);
    for (const direction of DIRECTIONS) this.#datagrams.inc({ direction }, 0);
    this.#stop = processMetrics(this.#registry);
  }

  readonly observer = (event: ServerEvent): void => {
    switch (event.type) {
      case "session-opened":
        return this.#opened.inc({ listener: event.listener });
      case "handshake":
        this.#handshakes.inc({ method: event.method ?? "unknown", outcome: event.outcome });
        if (event.outcome === "completed") this.#took(HANDSHAKE_PHASES, event.phases);
        return;
      case "relaying":
        return this.#took(REQUEST_PHASES, event.phases);
      case "decision": {
        const { decision: effect, rule } = event.record;
        if (effect !== null) this.#decisions.inc({ effect, rule: rule ?? "none" });
        return;
      }
      case "connection-refused":
        if (event.limit !== undefined) this.#limitHits.inc({ limit: event.limit });
        return;
      case "session-failed": {
        const { step, code, major } = event;
        this.#failures.inc({ step, code });
        const limit = event.limit ?? LIMITS[code];
        if (limit !== undefined) this.#limitHits.inc({ limit });
        if (major !== null) this.#gssFailures.inc({ major });
        return;
      }
      case "association-closed":
        this.#datagrams.inc({ direction: "up" }, event.datagramsUp);
        this.#datagrams.inc({ direction: "down" }, event.datagramsDown);
        for (const [reason, count] of Object.entries(event.dropped)) this.#dropped.inc({ reason }, count);
        return;
      case "worker-died":
        return this.#deaths.inc();
      case "session-closed":
        this.#closed.inc({ outcome: event.record.outcome });
        return add(this.#carried, event.record);
    }
  };

  #took(phases: readonly Phase[], seconds: Phases): void {
    for (const phase of phases) {
      const took = seconds[phase];
      if (took !== undefined) this.#phases.observe({ phase }, took);
    }
  }

  /** As they are now. */
  async json(): Promise<MetricsAsJson> {
    this.#refresh();
    return this.#registry.getMetricsAsJSON();
  }

  close(): void {
    this.#stop();
  }

  /** What is not counted event by event. */
  #refresh(): void {
    const traffic = new Map(LEVELS.map((level) => [level, nothing()]));
    for (const [level, { plain, frames }] of this.#carried) {
      traffic.set(level, { plain: { ...plain }, frames: { ...frames } });
    }
    const states = { handshake: 0, request: 0, relay: 0 };
    for (const session of this.#sources.sessions()) {
      states[session.state] += 1;
      add(traffic, session);
    }
    for (const state of STATES) this.#sessions.set({ state }, states[state]);
    this.#refreshUpstreams();
    this.#audit.reset();
    this.#audit.inc(this.#sources.dropped());
    this.#bytes.reset();
    this.#frames.reset();
    for (const [level, { plain, frames }] of traffic) {
      for (const direction of DIRECTIONS) {
        this.#bytes.inc({ direction, level }, plain[direction]);
        this.#frames.inc({ direction, level }, frames[direction]);
      }
    }
  }

  #refreshUpstreams(): void {
    // DNS may name others than before.
    for (const metric of [this.#proxyUp, this.#proxySessions, this.#proxyFailures]) metric.reset();
    for (const { upstream, proxies } of this.#sources.upstreams()) {
      for (const { proxy, state, failures, sessions } of proxies) {
        this.#proxyUp.set({ upstream, proxy }, state === "down" ? 0 : 1);
        this.#proxySessions.set({ upstream, proxy }, sessions);
        this.#proxyFailures.inc({ upstream, proxy }, failures);
      }
    }
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name: `gssocks_${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** @param aggregator makes one value of several processes' */
  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    aggregator: "sum" | "min" = "sum",
  ): Gauge<Label> {
    return new Gauge({ name: `gssocks_${name}`, help, labelNames, aggregator, registers: [this.#registry] });
  }
}

function nothing(): Traffic {
  return { plain: { up: 0, down: 0 }, frames: { up: 0, down: 0 } };
}

function add(to: Map<string, Traffic>, octets: Omit<OpenSession, "state">): void {
  const level = octets.level ?? NO_LEVEL;
  const traffic = to.get(level) ?? nothing();
  to.set(level, traffic);
  traffic.plain.up += octets.bytesUp;
  traffic.plain.down += octets.bytesDown;
  traffic.frames.up += octets.sealedUp;
  traffic.frames.down += octets.sealedDown;
}
