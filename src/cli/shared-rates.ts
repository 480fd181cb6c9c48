import { randomBytes } from "node:crypto";
import { ftruncateSync, openSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SHARED_RATES_SIZE } from "../gss/rate.js";

/** @returns the descriptor of a file without a name, for all workers to keep their rates in */
export function openSharedRates(): number {
  const name = join(tmpdir(), `gssocks-rates-${randomBytes(8).toString("hex")}`);
  const descriptor = openSync(name, "wx+", 0o600);
  unlinkSync(name);
  ftruncateSync(descriptor, SHARED_RATES_SIZE);
  return descriptor;
}
