import { setFlagsFromString } from "node:v8";

/**
 * To be called when a process begins that will have many short sessions. V8 places objects of a kind that lived long once
 * into the old generation at birth; there they wait for a mark-compact, dead as they are, and what they refer to, nearly all
 * of a session, with them.
 */
export function forShortLives(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
