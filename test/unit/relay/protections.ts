/** Each way to protect a connection's octets, for tests that have to hold for all. */
import assert from "node:assert/strict";
import type { SecurityContext } from "../../../src/gss/security-context.js";
import { ContextProtection } from "../../../src/relay/message-protection.js";

/** The library's calls; our own tokens, one after the other; our own, side by side where there is a library for that. */
export const ENGINES = ["library", "fast", "fast in lanes"] as const;
export type Engine = (typeof ENGINES)[number];

export type Level = "integrity" | "confidentiality" | "selective";

/** @param level of the protection that is installed on the established `context` */
export function protect(context: SecurityContext, level: Level, engine: Engine): ContextProtection {
  const protection = new ContextProtection(context, level);
  if (engine !== "library") assert.ok(protection.accelerate(engine === "fast in lanes"));
  return protection;
}
