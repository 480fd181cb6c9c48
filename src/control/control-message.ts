/**
 * What is said on the control socket: one line of JSON asks, lines of JSON answer, then the server closes.
 *
 *     {"v":1,"ask":"sessions","user":"*@EXAMPLE.TEST"}
 *     {"session":{…}}                                       one line each
 *     {"v":1,"ok":true,"time":123456}
 *
 *     {"v":1,"ask":"upstreams"}
 *     {"upstream":{…}}                                      one line each, and for each process
 *     {"v":1,"ok":true,"total":{…}}
 *
 *     {"v":1,"ask":"kill","sessions":["0123456789abcdef"]}  or "user", the principal
 *     {"ended":"0123456789abcdef"}                          one line each
 *     {"v":1,"ok":true}
 *
 *     {"v":1,"ask":"reload"}
 *     {"v":1,"ok":false,"code":"CONFIG_INVALID","error":"…"}
 *
 * The last line has `v` and `ok`; without one the answer is not whole.
 */
import { PeerError } from "../errors.js";
import type { ReloadOutcome } from "../server/reload-outcome.js";
import type { SessionInfo } from "../server/session-info.js";
import type { UpstreamInfo } from "../server/upstream-info.js";

export const CONTROL_VERSION = 1;

/** Octets of a request, the line's end included; a list of sessions is what needs most. */
export const MAX_REQUEST = 65_536;

/** Octets of one line of an answer. */
export const MAX_ANSWER_LINE = 1 << 20;

export type ControlRequest =
  | { ask: "reload" }
  /** `user`: a principal, in which each `*` stands for any text. */
  | { ask: "sessions"; user?: string }
  | { ask: "upstreams" }
  | { ask: "kill"; sessions: string[] }
  | { ask: "kill"; user: string };

export type ControlItem = { session: SessionInfo } | { upstream: UpstreamInfo } | { ended: string };

/** Of all sessions since the server began, through upstreams or not, the open ones too. */
export interface ControlTotal {
  sessions: number;
  /** Plain octets, client to destination, and back. */
  bytesUp: number;
  bytesDown: number;
}

export type ControlEnd =
  /** `time`: of the server's clock, milliseconds. */
  | { v: number; ok: true; time?: number; total?: ControlTotal; reload?: ReloadOutcome }
  | { v: number; ok: false; code: string; error: string };

export function encodeRequest(request: ControlRequest): string {
  return `${JSON.stringify({ v: CONTROL_VERSION, ...request })}\n`;
}

/** @throws PeerError */
export function parseRequest(line: string): ControlRequest {
  const value = parseObject(line);
  if (value.v !== CONTROL_VERSION) {
    throw bad("CONTROL_VERSION", `this server speaks version ${CONTROL_VERSION}, not ${shown(value.v)}`);
  }
  const { ask, user, sessions } = value;
  if (user !== undefined && typeof user !== "string")
    throw bad("CONTROL_REQUEST", `user is ${shown(user)}, no text`);
  switch (ask) {
    case "reload":
    case "upstreams":
      return { ask };
    case "sessions":
      return user === undefined ? { ask } : { ask, user };
    case "kill":
      if ((user === undefined) === (sessions === undefined))
        throw bad("CONTROL_REQUEST", "kill takes either sessions or user");
      if (user !== undefined) return { ask, user };
      if (isTexts(sessions)) return { ask, sessions };
      throw bad("CONTROL_REQUEST", "sessions is no list of ids");
    default:
      throw bad(
        "CONTROL_REQUEST",
        `unknown request ${shown(ask)}; expected reload, sessions, upstreams or kill`,
      );
  }
}

/** @throws PeerError */
export function parseAnswer(line: string): ControlItem | ControlEnd {
  const value = parseObject(line);
  if (value.v !== undefined && value.v !== CONTROL_VERSION)
    throw bad(
      "CONTROL_VERSION",
      `the server speaks version ${shown(value.v)}; this is version ${CONTROL_VERSION}`,
    );
  return value as ControlItem | ControlEnd;
}

/** Whether `text` is what `pattern` says, in which each `*` stands for any text. */
export function matches(text: string, pattern: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

function parseObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw bad("CONTROL_REQUEST", "not JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw bad("CONTROL_REQUEST", "not a JSON object");
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 80);
}

function bad(code: string, message: string): PeerError {
  return new PeerError(code, message);
}
