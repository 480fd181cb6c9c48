/** Events to JSON lines by pino: one line an event, with a session id where there is one. */
import { type DestinationStream, type Logger, pino } from "pino";
import { auditTrail } from "./audit.js";
import type { Observer, ServerEvent } from "./events.js";
import { gatheredLines } from "./gathered-lines.js";

export type { Logger } from "pino";

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

/**
 * @param destination where the lines go; they must be flushed by whoever made it
 * @param base fields of every line
 */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream,
  base: Readonly<Record<string, unknown>> | null = null,
): Logger {
  return pino(
    {
      level,
      base,
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

/** The fields that every session comes by are named one by one: spreads cost ten times as much. */
function log(logger: Logger, event: Exclude<ServerEvent, { type: "session-closed" }>): void {
  switch (event.type) {
    case "listening":
      return logger.info({ address: event.address, port: event.port }, "listening");
    case "metrics-listening":
      return logger.info({ address: event.address, port: event.port }, "metrics listening");
    case "message-protection":
      return logger.info({ engines: event.engines }, "message protection");
    case "renewed":
      if (event.reason === null) return logger.info({ listener: event.listener }, "certificate renewed");
      return logger.error({ listener: event.listener, reason: event.reason }, "certificate not renewed");
    case "connection-refused":
      return logger.warn(
        { client: event.client, code: event.code, limit: event.limit, reason: event.reason },
        "connection refused",
      );
    case "session-opened": {
      const { session, client, principal } = event.subject;
      return logger.debug({ session, client, principal, listener: event.listener }, "session opened");
    }
    case "method-selected": {
      const { session, client, principal } = event.subject;
      const { offered, selected } = event;
      return logger.debug({ session, client, principal, offered, selected }, "method selected");
    }
    case "authenticated": {
      const { session, client, principal } = event.subject;
      const { method, mechanism, acceptor } = event.identity;
      return logger.info({ session, client, principal, method, mechanism, acceptor }, "authenticated");
    }
    case "level-agreed": {
      const { session, client, principal } = event.subject;
      const { offered, level } = event;
      return logger.debug({ session, client, principal, offered, level }, "level agreed");
    }
    case "request": {
      const { session, client, principal } = event.subject;
      const { command, destination } = event;
      return logger.debug({ session, client, principal, command, destination }, "request");
    }
    case "connected": {
      const { session, client, principal } = event.subject;
      const { address, bound } = event;
      return logger.info({ session, client, principal, address, bound }, "connected");
    }
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
    case "handshake":
      // Each step has told of itself.
      return;
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
    case "worker-started":
      return logger.info({ worker: event.worker }, "worker started");
    case "worker-died": {
      const { worker, code, signal, sessions, pause } = event;
      const seconds = pause === null ? null : pause / 1000;
      return logger.error({ worker, code, signal, sessions, pause: seconds }, "worker died");
    }
    case "draining":
      return logger.info({ sessions: event.sessions }, "draining");
    case "stopped":
      return logger.info("stopped");
  }
}

export interface LogDestination extends DestinationStream {
  /** Fulfilled when no more waits to be written than a reader may be behind. */
  room(): Promise<void>;
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
  let full = false;
  let waiting: (() => void)[] = [];
  stream.on("drain", () => {
    full = false;
    for (const resolve of waiting) resolve();
    waiting = [];
  });
  const lines = gatheredLines((text) => {
    full = !stream.write(text);
  });
  return {
    write: lines.write,
    room: async () => {
      if (full) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    finish: () =>
      new Promise((resolve) => {
        lines.flush();
        stream.once("close", resolve);
        stream.end();
      }),
  };
}
