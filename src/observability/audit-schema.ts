/**
 * What an audit record is, for whoever reads them; docs/audit.md says it in words, docs/audit.schema.json is generated
 * from here. No key may be missing and none may be added without a new version.
 */
import * as z from "zod";
import { AUDIT_VERSION } from "./audit.js";

const text = z.string().min(1);
const count = z.int().min(0);
const seconds = z.number().min(0);
const time = z.iso.datetime({ precision: 3 });
const hex = z.string().regex(/^[0-9a-f]{16}$/);

const common = {
  v: z.literal(AUDIT_VERSION),
  start: hex,
  seq: z.int().min(1),
  time,
};

/** Of the session that it is about. */
const audited = {
  session: hex,
  worker: z.int().min(1).nullable(),
  listener: text,
  client: text,
  method: z.enum(["gssapi", "password", "certificate", "ident", "asserted", "none", "empty"]).nullable(),
  mechanism: text.nullable(),
  principal: text.nullable(),
  localName: text.nullable(),
  targetName: z.string().nullable(),
  channelBindings: z.enum(["tls-server-end-point", "tls-exporter"]).nullable(),
  level: z.enum(["none", "integrity", "confidentiality"]).nullable(),
  command: text.nullable(),
  destination: text.nullable(),
  rule: z.int().min(1).nullable(),
  code: text.nullable(),
  reason: text,
};

const decision = z.strictObject({
  ...common,
  type: z.literal("decision"),
  ...audited,
  decision: z.enum(["allow", "deny"]).nullable(),
  addresses: z.array(text).max(16),
  untold: count,
});

const session = z.strictObject({
  ...common,
  type: z.literal("session"),
  began: time,
  ...audited,
  address: text.nullable(),
  upstream: text.nullable(),
  outcome: z.enum(["completed", "denied", "failed"]),
  rep: z.int().min(0).max(255).nullable(),
  bytesUp: count,
  bytesDown: count,
  sealedUp: count,
  sealedDown: count,
  duration: seconds,
  phases: z.strictObject({
    tls: seconds.optional(),
    method: seconds.optional(),
    authentication: seconds.optional(),
    level: seconds.optional(),
    request: seconds.optional(),
    decision: seconds.optional(),
    dns: seconds.optional(),
    connect: seconds.optional(),
    relay: seconds.optional(),
  }),
});

const start = z.strictObject({ ...common, type: z.literal("start"), pid: z.int().min(1) });
const stop = z.strictObject({ ...common, type: z.literal("stop"), dropped: count });
const lost = z.strictObject({
  ...common,
  type: z.literal("lost"),
  count: z.int().min(1),
  first: z.int().min(1),
  last: z.int().min(1),
});

export const auditRecordSchema = z.discriminatedUnion("type", [decision, session, start, stop, lost]);

export type WrittenAuditRecord = z.output<typeof auditRecordSchema>;
