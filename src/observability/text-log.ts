/** The log for a person at a terminal: one sentence a line, made of pino's JSON. Audit records are not for there. */
import type { LogDestination } from "./logger.js";

/** Told in the sentence itself, or of no use to a person. */
const UNTOLD = new Set(["severity", "time", "msg", "reason", "session", "code", "port"]);

export function textLog(destination: LogDestination): LogDestination {
  return {
    get failed() {
      return destination.failed;
    },
    write: (line) => {
      const text = textOf(line);
      if (text !== "") destination.write(text);
    },
    room: () => destination.room(),
    written: () => destination.written(),
    finish: () => destination.finish(),
  };
}

/** @param line of JSON. @returns empty for what is not for a person */
function textOf(line: string): string {
  const fields = JSON.parse(line) as Record<string, unknown>;
  const { severity, time, msg, reason } = fields;
  if (msg === "audit") return "";
  const clock = new Date(String(time)).toTimeString().slice(0, 8);
  const what = severity === "info" ? msg : `${severity}: ${msg}`;
  const why = typeof reason === "string" ? `: ${reason}` : "";
  const rest = Object.entries(fields)
    .filter(([key, value]) => !UNTOLD.has(key) && value !== null && value !== undefined)
    .map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return `${clock} ${what}${why}${rest.length === 0 ? "" : ` (${rest.join(", ")})`}\n`;
}
