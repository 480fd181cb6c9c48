import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { parseConfig, readConfig } from "../config/load.js";
import type { LogLevel } from "../observability/logger.js";
import { Server } from "../server/server.js";
import { localCounts } from "../server/shared-counts.js";
import { Primary, type PrimaryOptions } from "../workers/primary.js";
import { startAuditTrail } from "./audit-trail.js";
import { foreground } from "./foreground.js";
import { ServedMetrics } from "./metrics.js";
import { serverOptions } from "./server-options.js";
import { openSharedRates } from "./shared-rates.js";

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));

/** `gssocks serve`: the server in the foreground, until SIGTERM, SIGINT or SIGHUP. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("run the proxy in the foreground; logs JSON lines to standard output")
    .requiredOption("-c, --config <file>", "the configuration")
    .action(async ({ config }: { config: string }) => serve(config));
}

async function serve(file: string): Promise<void> {
  const source = readConfig(file);
  const config = parseConfig(source, file);
  const workers = config.workers === "auto" ? availableParallelism() : config.workers;
  await foreground(config.log.level as LogLevel, async (parts) => {
    const { trail, observer } = await startAuditTrail(config, parts);
    const sources = { sessions: () => server.progress, dropped: () => trail.dropped };
    const metrics = config.metrics === null ? null : new ServedMetrics(config.metrics, sources);
    const all = metrics?.observer(observer) ?? observer;
    const ownListeners = () => metrics?.bound ?? [];
    const server: Server = new Server(
      { ...serverOptions(config, all), ownListeners },
      all,
      localCounts(),
      trail,
    );
    const options: PrimaryOptions = {
      ...config,
      workers,
      check: () => server.check(),
      setup: { file, source },
      fork: forkWith(workers === 1 ? null : openSharedRates()),
      ownListeners,
      metrics: metrics?.sum ?? null,
    };
    const service = workers === 1 ? server : new Primary(options, all, parts.log, trail);
    const stopped = parts.onSignals(() => service.abort());
    try {
      await metrics?.open(service, observer);
      await service.start();
      await stopped;
      await service.stop(config.timeouts.drain);
    } finally {
      metrics?.close();
    }
  });
}

/** @param rates for {@link RATES}, in each worker; the others follow from FIRST_SOCKET on */
function forkWith(rates: number | null) {
  return (descriptors: readonly number[]) =>
    fork(WORKER, [], { stdio: ["ignore", "pipe", "inherit", "ipc", rates, ...descriptors] });
}
