/** What serves clients: one process, or several. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AuditTrail } from "../observability/audit.js";
import type { Observer } from "../observability/events.js";
import type { LogDestination } from "../observability/logger.js";
import type { MeteredUpstream, OpenSession } from "../observability/metrics.js";
import type { ReloadOutcome } from "../server/reload-outcome.js";
import { Server } from "../server/server.js";
import type { SessionInfo } from "../server/session-info.js";
import { localCounts } from "../server/shared-counts.js";
import { listUpstreams } from "../server/upstream.js";
import type { UpstreamInfo } from "../server/upstream-info.js";
import { Primary, type PrimarySetup } from "../workers/primary.js";
import type { ServedMetrics, Service } from "./metrics.js";
import type { Loaded } from "./reloader.js";
import { serverOptions } from "./server-options.js";
import { openSharedRates } from "./shared-rates.js";

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

export interface RunningService extends Service {
  start(): Promise<void>;
  stop(drain: number): Promise<void>;
  /** Ends the sessions that a `stop` under way still waits for. */
  abort(): void;
  /** @throws GssocksError, and nothing has changed */
  reload(loaded: Loaded): Promise<ReloadOutcome>;
  list(): Promise<SessionInfo[]>;
  upstreams(): Promise<UpstreamInfo[]>;
  /** @returns those of `sessions` that there were, ended by now */
  kill(sessions: readonly string[]): Promise<string[]>;
  /** Of the sessions that this very process has. */
  progress(): Iterable<OpenSession>;
  /** And its ways to other proxies. */
  ways(): Iterable<MeteredUpstream>;
}

export interface ServiceParts {
  observer: Observer;
  log: LogDestination;
  metrics: ServedMetrics | null;
  trail: AuditTrail;
}

export function alone({ config }: Loaded, { observer, metrics, trail }: ServiceParts): RunningService {
  const options = (config: Loaded["config"]) => ({
    ...serverOptions(config, observer),
    ownListeners: () => metrics?.bound ?? [],
  });
  const server = new Server(options(config), observer, localCounts(), trail);
  return {
    start: () => server.start(),
    stop: (drain) => server.stop(drain),
    abort: () => server.abort(),
    reload: (next) => server.reload(options(next.config)),
    list: async () => server.list(),
    upstreams: () => listUpstreams(server.upstreams),
    kill: (sessions) => server.kill(sessions),
    progress: () => server.progress,
    ways: () => server.upstreams.status(),
    notReady: () => server.notReady(),
  };
}

export function several(
  workers: number,
  file: string,
  loaded: Loaded,
  { observer, log, metrics, trail }: ServiceParts,
): RunningService {
  const setup = ({ config, source }: Loaded, told: Observer): PrimarySetup => ({
    listeners: config.listeners,
    check: () => new Server(serverOptions(config, told), told).check(),
    config: { file, source },
  });
  const again: Observer = (event) => event.type !== "message-protection" && observer(event);
  const primary = new Primary(
    {
      ...setup(loaded, observer),
      workers,
      identd: loaded.config.identd,
      ownListeners: () => metrics?.bound ?? [],
      metrics: metrics?.sum ?? null,
      fork: forkWith(openSharedRates()),
    },
    observer,
    log,
    trail,
  );
  return {
    start: () => primary.start(),
    stop: (drain) => primary.stop(drain),
    abort: () => primary.abort(),
    reload: (next) => primary.reload(setup(next, again)),
    list: () => primary.list(),
    upstreams: () => primary.upstreams(),
    kill: (sessions) => primary.kill(sessions),
    progress: () => [],
    ways: () => [],
    notReady: () => primary.notReady(),
    notHealthy: () => primary.notHealthy(),
    collectMetrics: (sum) => primary.collectMetrics(sum),
  };
}

/** @param rates for {@link RATES}, in each worker; the others follow from FIRST_SOCKET on */
function forkWith(rates: number) {
  return (descriptors: readonly number[]) =>
    fork(WORKER, [], { stdio: ["ignore", "pipe", "inherit", "ipc", rates, ...descriptors] });
}
