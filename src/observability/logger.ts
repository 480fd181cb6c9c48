/** Events to JSON lines by pino: one line an event, with a session id where there is one. */
import { type DestinationStream, type Logger, pino } from "pino";
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
  return (event) => log(logger, event);
}

/** The fields that every session comes by are named one by one: spreads cost ten times as much. */
function log(logger: Logger, event: ServerEvent): void {
  switch (event.type) {
    // The audit trail's.
    case "decision":
    case "session-closed":
      return;
    case "audit-trail": {
      const { type, reason, ...fields } = event;
      if (reason === null) return logger.warn(fields, "audit trail works again");
      return logger.error({ ...fields, reason }, "audit trail fails");
    }
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
        {
          client: event.client,
          code: event.code,
          limit: event.limit,
          uid: event.uid,
          reason: event.reason,
        },
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
      return logger[event.severity ?? "info"]({ session, client, principal, address, bound }, "connected");
    }
    case "destination-allowed": {
      const { type, subject, severity, ...fields } = event;
      return logger[severity ?? "info"]({ ...subject, ...fields }, "destination allowed");
    }
    case "destination-refused": {
      const { type, subject, severity, ...fields } = event;
      return logger[severity ?? "warn"]({ ...subject, ...fields }, "destination refused");
    }
    case "association-closed": {
      const { type, subject, ...fields } = event;
      return logger.info({ ...subject, ...fields }, "association closed");
    }
    case "handshake":
    case "relaying":
      // Each step has told of itself.
      return;
    case "session-failed":
      return logger[event.severity ?? "warn"](
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
    case "reloaded":
      return logger.info({ added: event.added, removed: event.removed, ended: event.ended }, "reloaded");
    case "reload-failed":
      return logger.error({ code: event.code, reason: event.reason }, "reload failed");
    case "proxy-state":
      return logProxyState(logger, event);
    case "proxies-found": {
      const { type, ...fields } = event;
      return logger[event.refused.length > 0 ? "warn" : "info"](fields, "proxies found");
    }
    case "proxies-not-found": {
      const { type, ...fields } = event;
      return logger.warn(fields, "proxies not found");
    }
    case "ticket": {
      const { principal, before, code, reason } = event;
      if (principal === null) return logger.warn({ before, code, reason }, "no ticket");
      return logger.info({ principal, before }, "ticket");
    }
    case "draining":
      return logger.info({ sessions: event.sessions }, "draining");
    case "stopped":
      return logger.info("stopped");
  }
}

function logProxyState(logger: Logger, event: Extract<ServerEvent, { type: "proxy-state" }>): void {
  const { upstream, proxy, state, code, reason } = event;
  if (state === "up") return logger.info({ upstream, proxy }, "proxy up");
  return logger.warn({ upstream, proxy, code, reason }, "proxy down");
}

export interface LogDestination extends DestinationStream {
  /** A line could not be written. */
  readonly failed: boolean;
  /** Fulfilled when no more waits to be written than a reader may be behind. */
  room(): Promise<void>;
  /** Fulfilled when every line so far has been written; never where that fails. */
  written(): Promise<void>;
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
  let broken = false;
  stream.removeAllListeners("error").on("error", (error: Error) => {
    broken = true;
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
  const octets = new WrittenOctets();
  stream.on("write", (count: number) => octets.wrote(count));
  const lines = gatheredLines((text) => {
    if (broken || text === "") return;
    octets.gave(Buffer.byteLength(text));
    full = !stream.write(text);
  });
  return {
    get failed() {
      return broken;
    },
    write: lines.write,
    room: async () => {
      if (full) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    written: async () => {
      // Those that come in the same turn go with it.
      await new Promise<void>((turn) => setImmediate(turn));
      lines.flush();
      await octets.written();
    },
    finish: () =>
      new Promise((resolve) => {
        lines.flush();
        if (broken) return resolve();
        stream.once("close", resolve);
        stream.end();
      }),
  };
}

/** Whether what was given is written. */
class WrittenOctets {
  #given = 0;
  #written = 0;
  readonly #waiting: { until: number; resolve: () => void }[] = [];

  gave(octets: number): void {
    this.#given += octets;
  }

  wrote(octets: number): void {
    this.#written += octets;
    while (this.#waiting[0] !== undefined && this.#waiting[0].until <= this.#written)
      this.#waiting.shift()?.resolve();
  }

  async written(): Promise<void> {
    const until = this.#given;
    if (until > this.#written)
      await new Promise<void>((resolve) => void this.#waiting.push({ until, resolve }));
  }
}
