import type { Logger } from "pino";
import type { AuditRecord } from "./events.js";

/** The audit trail: each record is one line, `"msg":"audit"`. It stays when the log is turned down, short of silence. */
export function auditTrail(logger: Logger): (record: AuditRecord) => void {
  const trail = logger.level === "silent" ? logger : logger.child({}, { level: "info" });
  return (record) => trail.info(record, "audit");
}
