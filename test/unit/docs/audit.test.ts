// docs/audit.md against the schema: every field is in its table, with the records that have it, every word of a field is
// there, and the examples are records; docs/audit.schema.json is what the schema generates.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { auditRecordSchema } from "../../../src/observability/audit-schema.js";
import { auditRecord } from "../../support/audit.js";

const ROOT = new URL("../../../../", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, ROOT), "utf8");

/** Each field's records; `start` is both a field and a type. */
function fields(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { shape } of auditRecordSchema.options) {
    const [type = ""] = shape.type.values;
    for (const field of Object.keys(shape)) found.set(field, (found.get(field) ?? new Set()).add(type));
  }
  return found;
}

test("every field is told of, with the records that have it", () => {
  const all = auditRecordSchema.options.length;
  const expected = [...fields()].map(([field, types]) => [
    field,
    types.size === all ? "all" : [...types].sort().join(", "),
  ]);
  const told = [...read("docs/audit.md").matchAll(/^\| (`.*?) \| ([a-z, ]+) \| .* \|$/gm)].flatMap(
    ([, names = "", types = ""]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => [name, types.split(", ").sort().join(", ")]),
  );
  assert.deepEqual(told.sort(), expected.sort());
});

test("every word that a field may have is told of", () => {
  const text = read("docs/audit.md");
  const words = JSON.stringify(JSON.parse(read("docs/audit.schema.json"))).matchAll(
    /"(?:enum":\[([^\]]*)|const":("\w+"))/g,
  );
  let count = 0;
  for (const [, list, constant] of words) {
    for (const [, word] of (list ?? constant ?? "").matchAll(/"([^"]+)"/g)) {
      count += 1;
      assert.ok(text.includes(`\`${word}\``), `${word} is not told of`);
    }
  }
  assert.ok(count > 15, `${count} words`);
});

test("the examples are records", () => {
  const [, examples = ""] = /```json\n([\s\S]*?)```/.exec(read("docs/audit.md")) ?? [];
  const records = examples.trimEnd().split("\n").map(auditRecord);
  assert.deepEqual(
    records.map(({ type }) => type),
    ["decision", "session", "decision"],
  );
});

test("docs/audit.schema.json is generated", () => {
  const script = fileURLToPath(new URL("scripts/audit-schema.mjs", ROOT));
  const generated = execFileSync(process.execPath, [script], { encoding: "utf8" });
  const stale = "run node scripts/audit-schema.mjs >docs/audit.schema.json, then npm run format";
  assert.deepEqual(JSON.parse(read("docs/audit.schema.json")), JSON.parse(generated), stale);
});
