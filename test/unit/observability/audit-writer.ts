/** Writes records as fast as it can, until it is killed; says which are written. */
import { AuditTrail } from "../../../src/observability/audit.js";
import { AuditFile } from "../../../src/observability/audit-file.js";
import { decision } from "./records.js";

const sink = await AuditFile.open(process.argv[2] as string, "never");
const trail = new AuditTrail(sink, { onFull: "block", queue: 1000 }, () => {});
for (let seq = 1; ; ) {
  // Many at a time, so that the kill meets a long write.
  for (let n = 0; n < 100; n += 1, seq += 1) trail.add(decision("a.test"));
  await trail.written();
  process.stdout.write(`${seq}\n`);
}
