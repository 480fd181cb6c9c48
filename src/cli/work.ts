import { parseConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";
import { native } from "../gss/native.js";
import { shareCores } from "../gss/native-relay.js";
import { shareRates } from "../gss/rate.js";
import type { AuditState, Observer, ServerEvent } from "../observability/events.js";
import type { GatheredLines } from "../observability/gathered-lines.js";
import { createLogger, type Logger, type LogLevel, logObserver } from "../observability/logger.js";
import { Metrics } from "../observability/metrics.js";
import { workerLog } from "../observability/worker-log.js";
import type { ListeningSocket } from "../server/listener.js";
import { Server, type ServerOptions } from "../server/server.js";
import { listUpstreams, NO_UPSTREAMS } from "../server/upstream.js";
import { askedCounts, type ToPrimary } from "../workers/asked-counts.js";
import { AskedTrail } from "../workers/asked-trail.js";
import {
  type PrimaryCalls,
  RATES,
  type WorkerCalls,
  type WorkerConfig,
  type WorkerSetup,
} from "../workers/calls.js";
import { Channel } from "../workers/channel.js";
import { forShortLives } from "./heap.js";
import { serverOptions } from "./server-options.js";

/** The primary tells these for all. */
const TOLD: readonly ServerEvent["type"][] = ["listening", "message-protection", "draining", "stopped"];

/** How long sessions may take to be cut when the primary is gone, in ms. */
const PATIENCE = 1000;

/** Does what the primary says, to the end of this process. */
export function work(): void {
  forShortLives();
  let started: Promise<Serving> | null = null;
  let trail: AskedTrail | null = null;
  let audit: AuditState = { full: null, inOrder: true };
  let sockets: ListeningSocket[] = [];
  let ending = false;

  /** Without the primary nothing is counted and nothing is logged, so nobody is served. */
  const primaryGone = () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), PATIENCE);
    const cut = async () => (await started)?.server.stop(0);
    const exit = () => process.exit(1);
    cut().then(exit, exit);
  };
  const log = workerLog(primaryGone);
  process.on("disconnect", primaryGone);

  const primary: ToPrimary = new Channel<PrimaryCalls, WorkerCalls>(process, {
    async start(setup) {
      const config = parseConfig(setup.source, setup.file);
      shareRates(RATES);
      shareCores(setup.workers);
      trail = new AskedTrail(primary, config.audit.onFull === "block");
      trail.state = audit;
      started = startServing(config, setup, log, primary, trail);
      return started.then(
        () => null,
        (error: Error) => error.message,
      );
    },
    async stop(drain) {
      const server = (await started)?.server;
      ending = true;
      const { sessions = 0 } = server ?? {};
      void server?.stop(drain).then(async () => {
        log.flush();
        await trail?.flush();
        process.exit(0);
      });
      return sessions;
    },
    async abort() {
      (await started)?.server.abort();
    },
    addSocket(handle) {
      if (handle === undefined) return false;
      sockets.push(ownDescriptor(handle as SentHandle));
      return true;
    },
    async reload(config) {
      const added = sockets;
      sockets = [];
      return reload((await started) as Serving, config, added);
    },
    async sessions() {
      return (await started)?.server.list() ?? [];
    },
    async upstreams() {
      return listUpstreams((await started)?.server.upstreams ?? NO_UPSTREAMS);
    },
    async kill(sessions) {
      return (await started)?.server.kill(sessions) ?? [];
    },
    async findOwner(local, remote) {
      return (await started)?.server.findOwner(local, remote) ?? null;
    },
    async notReady() {
      return (await started)?.server.notReady() ?? ["the worker has not begun"];
    },
    ping: () => true,
    async metrics() {
      return (await started)?.metrics?.json() ?? null;
    },
    auditState(state) {
      audit = state;
      if (trail !== null) trail.state = state;
    },
  });
}

/** As it comes from the primary: a listening socket of either kind. */
interface SentHandle {
  readonly fd: number;
  close(): void;
}

/** Node listens on a descriptor of a Unix socket, but not on such a handle. */
function ownDescriptor(handle: SentHandle): ListeningSocket {
  const descriptor = native.duplicateDescriptor(handle.fd);
  handle.close();
  return { descriptor };
}

interface Serving {
  server: Server;
  options: (config: Config) => ServerOptions;
  metrics: Metrics | null;
  logger: Logger;
  /** The primary's own check has warned already. */
  quiet: boolean;
}

async function startServing(
  config: Config,
  { sockets, ownListeners }: WorkerSetup,
  log: GatheredLines,
  primary: ToPrimary,
  trail: AskedTrail,
): Promise<Serving> {
  const logger = createLogger(config.log.level as LogLevel, log, { worker: process.pid });
  process.on("uncaughtException", (error) => {
    logger.fatal({ code: "INTERNAL", reason: error.stack }, "failed");
    log.flush();
    process.exit(1);
  });
  const all = logObserver(logger);
  // Audit records are the primary's to drop.
  const sources = {
    sessions: () => server.progress,
    upstreams: () => server.upstreams.status(),
    dropped: () => 0,
  };
  const metrics = config.metrics === null ? null : new Metrics(sources);
  const observer: Observer = (event) => {
    metrics?.observer(event);
    if (TOLD.includes(event.type) || (event.type === "warning" && serving.quiet)) return;
    if (event.type === "decision" || event.type === "session-closed") trail.add(event.record);
    else all(event);
  };
  const options = (config: Config) => ({
    ...serverOptions(config, observer),
    identd: null,
    ownListeners: () => ownListeners,
  });
  const server: Server = new Server(options(config), observer, askedCounts(primary), trail);
  const serving: Serving = { server, options, metrics, logger, quiet: true };
  await server.start(sockets);
  serving.quiet = false;
  return serving;
}

async function reload(
  serving: Serving,
  { file, source }: WorkerConfig,
  sockets: readonly ListeningSocket[],
): Promise<{ ended: number } | { failure: string }> {
  const { server, options, logger } = serving;
  serving.quiet = true;
  try {
    const config = parseConfig(source, file);
    const { ended } = await server.reload(options(config), sockets);
    logger.level = config.log.level;
    return { ended };
  } catch (error) {
    return { failure: (error as Error).message };
  } finally {
    serving.quiet = false;
  }
}
