/**
 * The query and the response of the Identification Protocol (RFC 1413 §4 to §6), one line of text each:
 *
 *     6191,23                            port on the server, port on the client, as the server (the identd) sees them
 *     6191,23:USERID:UNIX:stjohns        OPSYS, which a charset may follow (UNIX,UTF-8), and the user id to the line's end
 *     6191,23:ERROR:NO-USER
 *
 * We send no white space and end lines with CR LF; we take spaces and tabs around every token, and a bare LF (note 1).
 */
import { PeerError, UsageError } from "../errors.js";
import { quote } from "./address.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

/** Octets of a line with its end (note 2). */
export const MAX_IDENT_LINE = 1000;

/** Octets of a user id (note 3). */
export const MAX_USER_ID = 512;

/** The two ports of a connection. The grammar allows any five digits; {@link isPort} tells those that can be. */
export interface PortPair {
  readonly portOnServer: number;
  readonly portOnClient: number;
}

/** §5; the non-standard ones begin with X. */
export type IdentErrorType = "INVALID-PORT" | "NO-USER" | "HIDDEN-USER" | "UNKNOWN-ERROR" | `X${string}`;

export type IdentResult =
  | {
      readonly type: "USERID";
      readonly opsys: string;
      /** null: US-ASCII. */
      readonly charset: string | null;
      /** Text without control characters; hex digits where the charset is one that we do not know (note 6). */
      readonly userId: string;
    }
  | { readonly type: "ERROR"; readonly error: IdentErrorType };

export type IdentResponse = PortPair & IdentResult;

const LF = 0x0a;
const PAIR = /^[ \t]*(\d{1,5})[ \t]*,[ \t]*(\d{1,5})[ \t]*$/;
/** Up to the part that depends on the type; no field before it may hold a colon. */
const RESPONSE = /^([^:]*):[ \t]*(USERID|ERROR)[ \t]*:(.*)$/s;
const OPSYS = /^[ \t]*([!-+\--9;-~]{1,64})[ \t]*(?:,[ \t]*([!-+\--9;-~]{1,64})[ \t]*)?$/;
const ERROR_TYPE = /^[ \t]*(INVALID-PORT|NO-USER|HIDDEN-USER|UNKNOWN-ERROR|X[!-9;-~]{1,63})[ \t]*$/;
/** NUL, LF, CR: never part of a user id, whatever its charset (§5). */
const NO_USER_ID = [0x00, LF, 0x0d];
/** Controls, and what else would change a line of a log or how it looks: formats, unassigned, line separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 0xffff;
}

/**
 * @returns null while the line's end is missing
 * @throws PeerError (IDENT_LINE_TOO_LONG, BAD_IDENT_QUERY); a bad line has been removed
 */
export function takeIdentQuery(received: ReceiveBuffer): PortPair | null {
  const line = takeLine(received);
  return line === null ? null : parsePair(line, "BAD_IDENT_QUERY");
}

/** @throws UsageError (BAD_PORT) */
export function encodeIdentQuery(pair: PortPair): Buffer {
  return Buffer.from(`${formatPair(pair)}\r\n`, "latin1");
}

/**
 * @returns null while the line's end is missing
 * @throws PeerError (IDENT_LINE_TOO_LONG, BAD_IDENT_RESPONSE); a bad line has been removed
 */
export function takeIdentResponse(received: ReceiveBuffer): IdentResponse | null {
  const line = takeLine(received);
  if (line === null) return null;
  const [, ports, type, rest = ""] = RESPONSE.exec(line) ?? [];
  if (ports === undefined) throw bad("it is neither USERID nor ERROR", line);
  const pair = parsePair(ports, "BAD_IDENT_RESPONSE");
  return type === "ERROR" ? { ...pair, type, error: parseError(rest) } : { ...pair, ...parseUser(rest) };
}

/** @throws UsageError (BAD_PORT, BAD_IDENT_RESPONSE) where the other end could not take it for what it is */
export function encodeIdentResponse(response: IdentResponse): Buffer {
  const head = `${formatPair(response)}:${response.type}:`;
  if (response.type === "ERROR") {
    if (!ERROR_TYPE.test(response.error))
      throw unsendable(`no error type: ${JSON.stringify(response.error)}`);
    return Buffer.from(`${head}${response.error}\r\n`, "latin1");
  }
  const { opsys, charset, userId } = response;
  const field = charset === null ? opsys : `${opsys},${charset}`;
  const octets = Buffer.from(userId, encodingOf(charset));
  const sendable = OPSYS.test(field) && octets.length >= 1 && octets.length <= MAX_USER_ID;
  if (!sendable || decode(octets, charset) !== userId) {
    throw unsendable(`not a user id of 1 to ${MAX_USER_ID} printable octets: ${JSON.stringify(userId)}`);
  }
  return Buffer.concat([Buffer.from(`${head}${field}:`, "latin1"), octets, Buffer.from("\r\n")]);
}

/** `text` as a user id that can be sent: without what may not be printed, and the first 512 octets of it (note 3). */
export function toUserId(text: string): string {
  let userId = "";
  let octets = 0;
  for (const character of text) {
    const printable = UNPRINTABLE.test(character) ? "?" : character;
    octets += Buffer.byteLength(printable);
    if (octets > MAX_USER_ID) break;
    userId += printable;
  }
  return userId;
}

/**
 * Removes a line and its end, CR LF or LF.
 * @returns the octets as Latin-1 text without the end; null while that is missing
 * @throws PeerError (IDENT_LINE_TOO_LONG)
 */
export function takeLine(received: ReceiveBuffer): string | null {
  const held = Math.min(received.length, MAX_IDENT_LINE);
  for (let index = 0; index < held; index += 1) {
    if (received.octet(index) === LF)
      return received
        .take(index + 1)
        .toString("latin1")
        .replace(/\r?\n$/, "");
  }
  if (held < MAX_IDENT_LINE) return null;
  throw new PeerError("IDENT_LINE_TOO_LONG", `no end of line within ${MAX_IDENT_LINE} octets`);
}

/** @throws PeerError with this code */
export function parsePair(text: string, code: string): PortPair {
  const [, portOnServer, portOnClient] = PAIR.exec(text) ?? [];
  if (portOnServer === undefined) throw new PeerError(code, `not a pair of ports: ${excerpt(text)}`);
  return { portOnServer: Number(portOnServer), portOnClient: Number(portOnClient) };
}

/** @throws UsageError (BAD_PORT) */
export function formatPair({ portOnServer, portOnClient }: PortPair): string {
  for (const port of [portOnServer, portOnClient]) {
    if (!Number.isInteger(port) || port < 0 || port > 99_999)
      throw new UsageError("BAD_PORT", `no port: ${port}`);
  }
  return `${portOnServer},${portOnClient}`;
}

function parseError(text: string): IdentErrorType {
  const [, error] = ERROR_TYPE.exec(text) ?? [];
  if (error === undefined) throw bad("unknown error type", text);
  return error as IdentErrorType;
}

function parseUser(text: string): IdentResult {
  const colon = text.indexOf(":");
  const [, opsys, charset = null] = OPSYS.exec(text.slice(0, Math.max(colon, 0))) ?? [];
  if (opsys === undefined) throw bad("no operating system and user id", text);
  const octets = Buffer.from(text.slice(colon + 1), "latin1");
  if (octets.length === 0 || octets.length > MAX_USER_ID) {
    throw bad(`a user id of ${octets.length} octets, expected 1 to ${MAX_USER_ID}`, text);
  }
  const userId = decode(octets, charset);
  if (userId === null) throw bad(`a user id that is no printable ${charset ?? "US-ASCII or UTF-8"}`, text);
  return { type: "USERID", opsys, charset, userId };
}

/** UTF-8 where nothing is said: it is US-ASCII's superset, and what today's systems send. */
function encodingOf(charset: string | null): "utf8" | "latin1" | "hex" {
  switch ((charset ?? "US-ASCII").toUpperCase()) {
    case "US-ASCII":
    case "UTF-8":
      return "utf8";
    case "ISO-8859-1":
      return "latin1";
    default:
      return "hex";
  }
}

/** @returns null where the octets are no text of this charset, or none that may be printed */
function decode(octets: Buffer, charset: string | null): string | null {
  const encoding = encodingOf(charset);
  const text = octets.toString(encoding);
  const same = Buffer.from(text, encoding).equals(octets);
  return same && !UNPRINTABLE.test(text) && !NO_USER_ID.some((octet) => octets.includes(octet)) ? text : null;
}

function bad(what: string, text: string): PeerError {
  return new PeerError("BAD_IDENT_RESPONSE", `${what}: ${excerpt(text)}`);
}

function unsendable(what: string): UsageError {
  return new UsageError("BAD_IDENT_RESPONSE", what);
}

/** The beginning of a peer's text, fit for a log. */
function excerpt(text: string): string {
  return quote(text.slice(0, 80));
}
