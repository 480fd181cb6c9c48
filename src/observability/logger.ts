/** Events to JSON lines by pino: one line an event, with a session id where there is one. */
import { type DestinationStream, type Logger, pino } from "pino";
import { auditTrail } from "./audit.js";
import type { Observer, ServerEvent } from "./events.js";

export type { Logger } from "pino";

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

/** @param destination where the lines go; they must be flushed by whoever made it */
export function createLogger(level: LogLevel, destination: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // `level` is the protection level's key.
      formatters: { level: (label) => ({ severity: label }) },
    },
    destination,
  );
}

export function logObserver(logger: Logger): Observer {
  const trail = auditTrail(logger);
  return (event) => {
    if (event.type === "session-closed") trail(event.record);
    else log(logger, event);
  };
}

function log(logger: Logger, event: Exclude<ServerEvent, { type: "session-closed" }>): void {
  switch (event.type) {
    case "listening":
      return logger.info({ address: event.address, port: event.port }, "listening");
    case "message-protection":
      return logger.info({ engines: event.engines }, "message protection");
    case "renewed":
      if (event.reason === null) return logger.info({ listener: event.listener }, "certificate renewed");
      return logger.error({ listener: event.listener, reason: event.reason }, "certificate not renewed");
    case "connection-refused":
      return logger.warn(
        { client: event.client, code: event.code, reason: event.reason },
        "connection refused",
      );
    case "session-opened":
      return logger.debug({ ...event.subject, listener: event.listener }, "session opened");
    case "method-selected":
      return logger.debug(
        { ...event.subject, offered: event.offered, selected: event.selected },
        "method selected",
      );
    case "authenticated": {
      const { method, mechanism, acceptor } = event.identity;
      return logger.info({ ...event.subject, method, mechanism, acceptor }, "authenticated");
    }
    case "level-agreed":
      return logger.debug({ ...event.subject, offered: event.offered, level: event.level }, "level agreed");
    case "request":
      return logger.debug(
        { ...event.subject, command: event.command, destination: event.destination },
        "request",
      );
    case "connected":
      return logger.info({ ...event.subject, address: event.address, bound: event.bound }, "connected");
    case "destination-allowed": {
      const { type, subject, ...fields } = event;
      return logger.info({ ...subject, ...fields }, "destination allowed");
    }
    case "destination-refused": {
      const { type, subject, ...fields } = event;
      return logger.warn({ ...subject, ...fields }, "destination refused");
    }
    case "association-closed": {
      const { type, subject, ...fields } = event;
      return logger.info({ ...subject, ...fields }, "association closed");
    }
    case "session-failed":
      return logger.warn(
        { ...event.subject, step: event.step, code: event.code, reason: event.reason },
        "session failed",
      );
    case "ident-answered": {
      const { type, ...fields } = event;
      return logger.info(fields, "ident answered");
    }
    case "ident-source-failed": {
      const { type, ...fields } = event;
      return logger.warn(fields, "ident source failed");
    }
    case "warning":
      return logger.warn({ reason: event.reason }, "warning");
    case "draining":
      return logger.info({ sessions: event.sessions }, "draining");
    case "stopped":
      return logger.info("stopped");
  }
}

export interface LogDestination extends DestinationStream {
  /** Writes what is left. Nothing may be logged afterwards. */
  finish(): Promise<void>;
}

/**
 * Standard output, buffered.
 * @param failed told once a line can't be written: the trail has a gap from then on
 */
export function logDestination(failed: (error: Error) => void): LogDestination {
  const stream = pino.destination({ fd: 1, sync: false });
  // pino's own listener goes on in silence when nobody reads any more, and its exit hook retries for ever on a full disk.
  stream.removeAllListeners("error").on("error", (error: Error) => {
    stream.destroy();
    failed(error);
  });
  return {
    write: (line) => void stream.write(line),
    finish: () =>
      new Promise((resolve) => {
        stream.once("close", resolve);
        stream.end();
      }),
  };
}
