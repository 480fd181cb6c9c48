/** A request that the proxy refuses, as everybody sees it: the client its REP, the administrator two lines of log. */
import assert from "node:assert/strict";
import type { ProxyServer } from "./proxy.js";
import { RawClient } from "./raw-client.js";

export interface Refusal {
  /** The request's octets in hex, from VER to DST.PORT. */
  request: string;
  rep: number;
  code: string;
  reason: RegExp;
  /** What the audit record says; `command` and `destination` are null where the request could not be read. */
  command?: string | null;
  destination?: string | null;
  outcome?: "denied" | "failed";
  /** The rule that decided, counted from 1. */
  rule?: number | null;
}

/** Asks at level confidentiality: the reply is sealed, and the proxy's end follows it (RFC 1928 §6). */
export async function assertRefused(proxy: ProxyServer, refusal: Refusal): Promise<void> {
  const { request, rep, code, reason } = refusal;
  const { command = "connect", destination = null, outcome = "failed", rule = null } = refusal;
  const client = await RawClient.ready(proxy);
  const reply = await client.ask(Buffer.from(request.replaceAll(" ", ""), "hex"));
  assert.equal(reply.toString("hex"), `05${octet(rep)}0001000000000000`);
  assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "end" });
  client.close();

  const record = await proxy.audit((each) => each.client === client.address);
  const said = { command, destination, outcome, rule, code, address: null, principal: "alice@EXAMPLE.TEST" };
  assert.deepEqual(Object.fromEntries(Object.keys(said).map((key) => [key, record[key]])), said);
  assert.match(String(record.reason), reason);
  const line = await proxy.waitForLog(
    (each) => each.msg === "session failed" && each.client === client.address,
  );
  const step = command === null ? "request" : "reply";
  assert.deepEqual([line.code, line.reason, line.step], [code, record.reason, step]);
}

function octet(value: number): string {
  return value.toString(16).padStart(2, "0");
}
