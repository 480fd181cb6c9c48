/** A server in the foreground, until SIGTERM or SIGINT; SIGHUP reloads. */
import { availableParallelism } from "node:os";
import { ControlSocket } from "../control/control-socket.js";
import type { LogLevel } from "../observability/logger.js";
import { startAuditTrail } from "./audit-trail.js";
import { servedSocket } from "./control-path.js";
import { foreground, type LogFormat } from "./foreground.js";
import { forShortLives } from "./heap.js";
import { InheritedSockets } from "./inherited-sockets.js";
import { ServedMetrics } from "./metrics.js";
import { type Load, type Loaded, Reloader } from "./reloader.js";
import type { RunningService, ServiceParts } from "./services.js";
import { Supervisor } from "./supervisor.js";

/** @throws ConfigError, and whatever keeps it from being served */
export async function runServer(
  read: Load,
  serve: (workers: number, loaded: Loaded, parts: ServiceParts) => RunningService,
  format: LogFormat = "json",
): Promise<void> {
  forShortLives();
  const supervisor = Supervisor.take();
  const inherited = InheritedSockets.take();
  const readAll: Load = () => {
    const { source, config } = read();
    return { source, config: { ...config, listeners: inherited.give(config.listeners) } };
  };
  const loaded = readAll();
  const { config } = loaded;
  await foreground(config.log.level as LogLevel, format, async (foreground) => {
    const { trail, observer } = await startAuditTrail(config, foreground);
    const sources = {
      sessions: () => service.progress(),
      upstreams: () => service.ways(),
      dropped: () => trail.dropped,
    };
    const metrics = config.metrics === null ? null : new ServedMetrics(config.metrics, sources);
    const parts = { observer: metrics?.observer(observer) ?? observer, log: foreground.log, metrics, trail };
    const workers = config.workers === "auto" ? availableParallelism() : config.workers;
    const service: RunningService = serve(workers, loaded, parts);
    const reloader = new Reloader(readAll, config, parts.observer, async (next) => {
      const outcome = await service.reload(next);
      foreground.setLevel(next.config.log.level as LogLevel);
      return outcome;
    });
    const reload = () => {
      supervisor.reloading();
      return reloader.reload().finally(() => supervisor.ready("Serving"));
    };
    const stopped = foreground.onSignals(
      () => service.abort(),
      () => void reload().catch(() => {}),
    );
    const socket = servedSocket(config);
    const controlled = {
      reload,
      sessions: () => service.list(),
      upstreams: () => service.upstreams(),
      kill: service.kill,
      ended: trail.carried,
    };
    const control = socket === null ? null : await ControlSocket.open(socket, controlled);
    try {
      await metrics?.open(service, observer);
      await service.start();
      for (const name of inherited.unused(config.listeners)) {
        const reason = `systemd has passed a socket that no listener takes: ${name}`;
        parts.observer({ type: "warning", reason });
      }
      supervisor.ready("Serving");
      reloader.begin();
      await stopped;
      supervisor.stopping("Waiting for open sessions");
      reloader.end();
      await service.stop(reloader.config.timeouts.drain);
    } finally {
      control?.close();
      metrics?.close();
    }
  });
}
