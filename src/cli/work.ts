import { parseConfig } from "../config/load.js";
import type { Config } from "../config/schema.js";
import { shareCores } from "../gss/native-relay.js";
import { shareRates } from "../gss/rate.js";
import type { AuditState, Observer, ServerEvent } from "../observability/events.js";
import type { GatheredLines } from "../observability/gathered-lines.js";
import { createLogger, type LogLevel, logObserver } from "../observability/logger.js";
import { Metrics } from "../observability/metrics.js";
import { workerLog } from "../observability/worker-log.js";
import { Server } from "../server/server.js";
import { askedCounts, type ToPrimary } from "../workers/asked-counts.js";
import { AskedTrail } from "../workers/asked-trail.js";
import { type PrimaryCalls, RATES, type WorkerCalls, type WorkerSetup } from "../workers/calls.js";
import { Channel } from "../workers/channel.js";
import { serverOptions } from "./server-options.js";

/** The primary tells these for all. */
const TOLD: readonly ServerEvent["type"][] = ["listening", "message-protection", "draining", "stopped"];

/** How long sessions may take to be cut when the primary is gone, in ms. */
const PATIENCE = 1000;

/** Does what the primary says, to the end of this process. */
export function work(): void {
  let started: Promise<{ server: Server; metrics: Metrics | null }> | null = null;
  let trail: AskedTrail | null = null;
  let audit: AuditState = { full: null, inOrder: true };
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
      started = startServer(config, setup, log, primary, trail);
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

async function startServer(
  config: Config,
  { sockets, ownListeners }: WorkerSetup,
  log: GatheredLines,
  primary: ToPrimary,
  trail: AskedTrail,
): Promise<{ server: Server; metrics: Metrics | null }> {
  const logger = createLogger(config.log.level as LogLevel, log, { worker: process.pid });
  process.on("uncaughtException", (error) => {
    logger.fatal({ code: "INTERNAL", reason: error.stack }, "failed");
    log.flush();
    process.exit(1);
  });
  const all = logObserver(logger);
  // Audit records are the primary's to drop.
  const sources = { sessions: () => server.progress, dropped: () => 0 };
  const metrics = config.metrics === null ? null : new Metrics(sources);
  let serving = false;
  const observer: Observer = (event) => {
    metrics?.observer(event);
    // The primary's own check has warned already.
    if (TOLD.includes(event.type) || (event.type === "warning" && !serving)) return;
    if (event.type === "decision" || event.type === "session-closed") trail.add(event.record);
    else all(event);
  };
  const options = {
    ...serverOptions(config, observer),
    identd: null,
    ownListeners: () => ownListeners,
  };
  const server: Server = new Server(options, observer, askedCounts(primary), trail);
  await server.start(sockets);
  serving = true;
  return { server, metrics };
}
