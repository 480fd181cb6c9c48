import { availableParallelism } from "node:os";
import { Command } from "commander";
import { parseConfig, readConfig } from "../config/load.js";
import { ControlSocket } from "../control/control-socket.js";
import type { LogLevel } from "../observability/logger.js";
import { startAuditTrail } from "./audit-trail.js";
import { servedSocket } from "./control-path.js";
import { foreground } from "./foreground.js";
import { ServedMetrics } from "./metrics.js";
import { Reloader } from "./reloader.js";
import { alone, type RunningService, several } from "./services.js";

/** `gssocks serve`: the server in the foreground, until SIGTERM or SIGINT. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("run the proxy in the foreground; logs JSON lines to standard output; SIGHUP reloads")
    .requiredOption("-c, --config <file>", "the configuration")
    .action(async ({ config }: { config: string }) => serve(config));
}

async function serve(file: string): Promise<void> {
  const source = readConfig(file);
  const config = parseConfig(source, file);
  await foreground(config.log.level as LogLevel, async (foreground) => {
    const { trail, observer } = await startAuditTrail(config, foreground);
    const sources = { sessions: () => service.progress(), dropped: () => trail.dropped };
    const metrics = config.metrics === null ? null : new ServedMetrics(config.metrics, sources);
    const parts = { observer: metrics?.observer(observer) ?? observer, log: foreground.log, metrics, trail };
    const loaded = { config, source };
    const workers = config.workers === "auto" ? availableParallelism() : config.workers;
    const service: RunningService =
      workers === 1 ? alone(loaded, parts) : several(workers, file, loaded, parts);
    const reloader = new Reloader(file, config, parts.observer, async (next) => {
      const outcome = await service.reload(next);
      foreground.setLevel(next.config.log.level as LogLevel);
      return outcome;
    });
    const reload = () => reloader.reload();
    const stopped = foreground.onSignals(
      () => service.abort(),
      () => void reload().catch(() => {}),
    );
    const socket = servedSocket(config);
    const controlled = { reload, sessions: () => service.list(), kill: service.kill };
    const control = socket === null ? null : await ControlSocket.open(socket, controlled);
    try {
      await metrics?.open(service, observer);
      await service.start();
      reloader.begin();
      await stopped;
      reloader.end();
      await service.stop(reloader.config.timeouts.drain);
    } finally {
      control?.close();
      metrics?.close();
    }
  });
}
