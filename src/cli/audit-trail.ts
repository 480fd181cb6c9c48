/** The audit trail that the configuration asks for, from its first record to its last. */
import type { Config } from "../config/schema.js";
import { native } from "../gss/native.js";
import { AuditTrail, auditObserver } from "../observability/audit.js";
import { openAuditSink } from "../observability/audit-sinks.js";
import type { Observer } from "../observability/events.js";
import type { Foreground } from "./foreground.js";

export interface RunningTrail {
  trail: AuditTrail;
  /** Tells the log, and puts what is for the trail there. */
  observer: Observer;
}

/** How long the last records may take to be written, in ms. */
const PATIENCE = 5000;

/** @throws NetworkError where it can't be begun */
export async function startAuditTrail(config: Config, foreground: Foreground): Promise<RunningTrail> {
  const { audit, log } = config;
  const sink = await openAuditSink(audit.target, {
    log: foreground.log,
    silent: log.level === "silent",
    sendUnixDatagram: native.sendUnixDatagram,
  });
  const trail = new AuditTrail(sink, audit, foreground.observer);
  // Node's own answer would be to open a debugger's port.
  process.on("SIGUSR1", () => trail.reopen());
  foreground.atEnd(async (orderly) => {
    // Where the log is lost, so are its records.
    const patience = audit.target.to === "log" && foreground.log.failed ? 0 : PATIENCE;
    const left = await trail.close(patience, orderly);
    if (left > 0) throw new Error(`${left} audit records could not be written`);
  });
  const toTrail = auditObserver(trail);
  return {
    trail,
    observer: (event) => {
      foreground.observer(event);
      toTrail(event);
    },
  };
}
