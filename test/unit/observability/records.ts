/** Records as sessions tell them, for the trail to number. */
import type { AuditDecision, AuditSession } from "../../../src/observability/events.js";

const SUBJECT = {
  time: "2026-01-02T03:04:05.678Z",
  session: "00112233445566ff",
  worker: null,
  listener: "127.0.0.1:1080",
  client: "192.0.2.1:50000",
  method: "gssapi",
  mechanism: "krb5",
  principal: "alice@EXAMPLE.TEST",
  localName: null,
  targetName: "rcmd/localhost@EXAMPLE.TEST",
  channelBindings: null,
  level: "confidentiality",
  command: "connect",
  rule: 1,
  code: null,
} as const;

export function decision(destination: string, more: Partial<AuditDecision> = {}): AuditDecision {
  return {
    type: "decision",
    ...SUBJECT,
    destination,
    decision: "allow",
    reason: "rule 1 allows it",
    addresses: ["192.0.2.7"],
    untold: 0,
    ...more,
  };
}

export function session(destination: string, more: Partial<AuditSession> = {}): AuditSession {
  return {
    type: "session",
    ...SUBJECT,
    began: "2026-01-02T03:04:04.678Z",
    destination,
    address: "192.0.2.7:80",
    upstream: null,
    outcome: "completed",
    reason: "both sides ended",
    rep: 0,
    bytesUp: 1,
    bytesDown: 2,
    sealedUp: 30,
    sealedDown: 31,
    duration: 1,
    phases: { method: 0.001, relay: 0.999 },
    ...more,
  };
}
