// audit-schema.mjs: prints docs/audit.schema.json, of the compiled sources.
import * as z from "zod";
import { auditRecordSchema } from "../dist/src/observability/audit-schema.js";

process.stdout.write(`${JSON.stringify(z.toJSONSchema(auditRecordSchema), null, 2)}\n`);
