/** What each failure tells of the proxy, and when another one may be asked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verdictOn } from "../../../src/client/proxy-verdict.js";
import { GssError, NetworkError, PeerError, PolicyError, UsageError } from "../../../src/errors.js";

const gss = (code: string) =>
  new GssError(code, code, {
    call: "gss_init_sec_context",
    major: 0,
    majorText: "",
    minor: 0,
    minorText: "",
  });

const TABLE: [error: Error, before: string, behind: string, foreign: string][] = [
  // [error, before the request, behind it, before it with somebody else's ticket]
  [new NetworkError("PROXY_UNREACHABLE", ""), "next down", "stop down", "next down"],
  [new NetworkError("CONNECTION_LOST", ""), "next down", "stop down", "next down"],
  [new NetworkError("TLS_FAILED", ""), "next down", "stop down", "next down"],
  [new PolicyError("PIN_MISMATCH", ""), "next down", "stop down", "next down"],
  [new PolicyError("NO_ACCEPTABLE_METHOD", ""), "next down", "next down", "next down"],
  // A KDC of the user's may have kept us waiting; the destination may.
  [new NetworkError("TIMEOUT", ""), "next down", "stop -", "next -"],
  [new PeerError("CLOSED_EARLY", ""), "next down", "stop down", "next -"],
  [new PeerError("AUTHENTICATION_REFUSED", ""), "next down", "next down", "next -"],
  [new PolicyError("LEVEL_REFUSED", ""), "next down", "stop down", "next -"],
  [gss("SERVER_UNKNOWN"), "next down", "stop down", "next -"],
  [gss("KDC_UNREACHABLE"), "next -", "stop -", "next -"],
  [gss("NO_TICKET"), "stop -", "stop -", "stop -"],
  [gss("TICKET_EXPIRED"), "stop -", "stop -", "stop -"],
  // The proxy's answers are the answer.
  [new PolicyError("RULE_DENIED", ""), "stop up", "stop up", "stop up"],
  [new NetworkError("DESTINATION_REFUSED", ""), "stop up", "stop up", "stop up"],
  [new PeerError("REQUEST_REFUSED", ""), "stop up", "stop up", "stop up"],
  [new PolicyError("LOOP", ""), "stop -", "stop -", "stop -"],
  // Ours.
  [new PolicyError("COMMAND_NOT_SUPPORTED", ""), "stop -", "stop -", "stop -"],
  [new PolicyError("CLEAR_TEXT_PASSWORD", ""), "stop -", "stop -", "stop -"],
  [new NetworkError("ABORTED", ""), "stop -", "stop -", "stop -"],
  [new UsageError("BAD_ARGUMENT", ""), "stop -", "stop -", "stop -"],
  [new TypeError("a fault"), "stop -", "stop -", "stop -"],
];

for (const [error, before, behind, foreign] of TABLE) {
  test((error as { code?: string }).code ?? error.name, () => {
    const said = (requested: boolean, foreign: boolean) => {
      const { next, state } = verdictOn(error, { requested, foreign });
      return `${next ? "next" : "stop"} ${state ?? "-"}`;
    };
    assert.deepEqual([said(false, false), said(true, false), said(false, true)], [before, behind, foreign]);
  });
}
