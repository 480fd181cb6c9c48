import { parseConfig } from "../config/load.js";
import type { Observer, ServerEvent } from "../observability/events.js";
import type { GatheredLines } from "../observability/gathered-lines.js";
import { createLogger, type LogLevel, logObserver } from "../observability/logger.js";
import { workerLog } from "../observability/worker-log.js";
import { Server } from "../server/server.js";
import { askedCounts, type ToPrimary } from "../workers/asked-counts.js";
import type { PrimaryCalls, WorkerCalls, WorkerSetup } from "../workers/calls.js";
import { Channel } from "../workers/channel.js";
import { serverOptions } from "./server-options.js";

/** The primary tells these for all. */
const TOLD: readonly ServerEvent["type"][] = ["listening", "message-protection", "draining", "stopped"];

/** How long sessions may take to be cut when the primary is gone, in ms. */
const PATIENCE = 1000;

/** Does what the primary says, to the end of this process. */
export function work(): void {
  let started: Promise<Server> | null = null;
  let ending = false;

  /** Without the primary nothing is counted and nothing is logged, so nobody is served. */
  const primaryGone = () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), PATIENCE);
    const cut = async () => (await started)?.stop(0);
    const exit = () => process.exit(1);
    cut().then(exit, exit);
  };
  const log = workerLog(primaryGone);
  process.on("disconnect", primaryGone);

  const primary: ToPrimary = new Channel<PrimaryCalls, WorkerCalls>(process, {
    async start(setup) {
      started = startServer(setup, log, primary);
      return started.then(
        () => null,
        (error: Error) => error.message,
      );
    },
    async stop(drain) {
      const server = await started;
      ending = true;
      const { sessions = 0 } = server ?? {};
      void server?.stop(drain).then(() => {
        log.flush();
        process.exit(0);
      });
      return sessions;
    },
    async abort() {
      (await started)?.abort();
    },
    async findOwner(local, remote) {
      return (await started)?.findOwner(local, remote) ?? null;
    },
  });
}

async function startServer(
  { file, source, sockets }: WorkerSetup,
  log: GatheredLines,
  primary: ToPrimary,
): Promise<Server> {
  const config = parseConfig(source, file);
  const logger = createLogger(config.log.level as LogLevel, log, { worker: process.pid });
  process.on("uncaughtException", (error) => {
    logger.fatal({ code: "INTERNAL", reason: error.stack }, "failed");
    log.flush();
    process.exit(1);
  });
  const all = logObserver(logger);
  let serving = false;
  const observer: Observer = (event) => {
    // The primary's own check has warned already.
    if (TOLD.includes(event.type) || (event.type === "warning" && !serving)) return;
    all(event);
  };
  const options = { ...serverOptions(config, observer), identd: null };
  const server = new Server(options, observer, askedCounts(primary));
  await server.start(sockets);
  serving = true;
  return server;
}
