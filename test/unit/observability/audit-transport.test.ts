// Audit records through transports of pino's: its own to a file, one that ends in the midst, and none.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { AuditTrail } from "../../../src/observability/audit.js";
import { AuditTransport } from "../../../src/observability/audit-transport.js";
import { assertNoHoles, auditFile, ofType } from "../../support/audit.js";
import { decision } from "./records.js";

function scratch(t: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), "audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function begin(t: TestContext, target: string, options: Record<string, unknown>) {
  // As a server's sockets do: pino's thread holds no process, and what it has still to say would not be waited for.
  const held = setInterval(() => {}, 1000);
  t.after(() => clearInterval(held));
  const told: (string | null)[] = [];
  const sink = await AuditTransport.open(target, options);
  const trail = new AuditTrail(sink, { onFull: "block", queue: 10_000 }, (event) => {
    if (event.type === "audit-trail") told.push(event.reason);
  });
  return { trail, told };
}

test("pino/file", async (t) => {
  const file = path.join(scratch(t), "audit");
  const { trail } = await begin(t, "pino/file", { destination: file });
  for (let n = 0; n < 1000; n += 1) trail.add(decision(`${n}.test`));
  await trail.written();
  assert.equal(await trail.close(5000, true), 0);
  const records = auditFile(file);
  assertNoHoles(records);
  assert.equal(ofType(records, "decision").length, 1000);
  assert.match(readFileSync(file, "utf8"), /^\{"severity":"info","v":1,.*,"msg":"audit"\}\n/);
});

test("a transport that ends is told of and begun anew; none is lost, though some may come twice", async (t) => {
  const directory = scratch(t);
  const [module, file] = [path.join(directory, "mortal.mjs"), path.join(directory, "audit")];
  // Its thread ends at the 50th line that it gets.
  writeFileSync(
    module,
    `import { appendFileSync } from "node:fs";
import { Writable } from "node:stream";
let lines = 0;
export default ({ destination }) => new Writable({
  write(chunk, encoding, done) {
    for (const line of chunk.toString().split("\\n")) {
      if (line === "") continue;
      lines += 1;
      if (lines === 50) process.exit(1);
      appendFileSync(destination, line + "\\n");
    }
    done();
  },
});
`,
  );
  const { trail, told } = await begin(t, module, { destination: file });
  for (let n = 0; n < 60; n += 1) {
    trail.add(decision(`${n}.test`));
    await trail.written();
  }
  assert.equal(await trail.close(10_000, true), 0);
  assert.match(
    told[0] ?? "",
    /^the audit trail can't be written: the (worker thread exited|transport's thread ended)/,
  );
  assert.equal(told.at(-1), null);
  const records = auditFile(file);
  const seen = new Map(records.map((record) => [record.seq, record]));
  assertNoHoles([...seen.values()]);
  assert.equal(seen.size, 62);
});

test("one that is not there", async () => {
  await assert.rejects(AuditTransport.open("no-such-transport", {}), (error) => {
    assert.ok(error instanceof NetworkError);
    assert.equal(error.code, "AUDIT_TRANSPORT");
    assert.match(error.message, /^the transport no-such-transport does not start: .*no-such-transport/);
    return true;
  });
});
