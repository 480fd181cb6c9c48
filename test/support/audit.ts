/** Audit records as a reader of them has them: each held to the schema. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { auditRecordSchema, type WrittenAuditRecord } from "../../src/observability/audit-schema.js";

export type RecordOf<Type extends WrittenAuditRecord["type"]> = Extract<WrittenAuditRecord, { type: Type }>;

/** Of a file, every line of which must be a whole record. */
export function auditFile(path: string): WrittenAuditRecord[] {
  const text = readFileSync(path, "utf8");
  assert.ok(text === "" || text.endsWith("\n"), `${path} ends within a line`);
  return text.split("\n").slice(0, -1).map(auditRecord);
}

/** @param line JSON; what the log has beside a record's own fields is left out */
export function auditRecord(line: string): WrittenAuditRecord {
  const { severity, msg, ...record } = JSON.parse(line) as Record<string, unknown>;
  assert.ok((severity === undefined) === (msg === undefined));
  return auditRecordSchema.parse(record);
}

export function ofType<Type extends WrittenAuditRecord["type"]>(
  records: readonly WrittenAuditRecord[],
  type: Type,
): RecordOf<Type>[] {
  return records.filter((record): record is RecordOf<Type> => record.type === type);
}

/** Of one process, with none missing: 1, 2, 3 … */
export function assertNoHoles(records: readonly WrittenAuditRecord[]): void {
  assert.equal(new Set(records.map(({ start }) => start)).size, 1, "one process");
  assert.deepEqual(
    records.map(({ seq }) => seq),
    records.map((_, index) => index + 1),
  );
}
