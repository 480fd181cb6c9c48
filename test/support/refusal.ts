/** What the proxy writes down of a client that it refuses. */
import assert from "node:assert/strict";
import type { LogLine, ProxyServer } from "./proxy.js";

/**
 * The log line of the refusal, whose audit record must say the same.
 * @param client `address:port`, as RawClient has it
 * @param outcome of the audit record: denied where it is our configuration that refuses
 */
export async function refusal(
  proxy: ProxyServer,
  client: string,
  outcome: "failed" | "denied" = "failed",
): Promise<LogLine> {
  const line = await proxy.waitForLog((each) => each.msg === "session failed" && each.client === client);
  const record = await proxy.audit((each) => each.client === client);
  assert.equal(record.outcome, outcome);
  assert.deepEqual(
    [record.code, record.reason, record.principal],
    [line.code, line.reason, line.principal],
    "log and audit record agree",
  );
  return line;
}
