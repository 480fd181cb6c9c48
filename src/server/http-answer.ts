/** What an HTTP client is told by the proxy itself, and why not what it asked for (RFC 9110 §15). */
import { type ServerResponse, STATUS_CODES } from "node:http";
import { type GssocksError, NetworkError, PeerError, PolicyError } from "../errors.js";
import { REP } from "../protocol/constants.js";
import { LimitError } from "./limits.js";

export interface Answer {
  readonly status: number;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  readonly body: string;
}

/** Where the kind of error does not say enough. */
const STATUS_OF: Readonly<Record<string, number>> = {
  NOT_FOUND: 404,
  HANDSHAKE_TIMEOUT: 408,
  FIELDS_TOO_LONG: 431,
  TRANSFER_CODING: 501,
  AUDIT_FULL: 503,
  KILLED: 503,
  SERVER_STOPPED: 503,
  NO_TICKET: 503,
  TICKET_EXPIRED: 503,
  CONTEXT_EXPIRED: 503,
  TOO_MANY_LOOKUPS: 503,
  IDLE_TIMEOUT: 504,
  LOOKUP_TIMEOUT: 504,
  TOTAL_TIMEOUT: 504,
  LOOP: 508,
};

const EXPIRED = "the Kerberos ticket for the next proxy has expired: get a new one with kinit";

/** In place of a reason that goes on inside, where whoever asks may be the one who can help: the user of a forwarder. */
const REMEDIES: Readonly<Record<string, string>> = {
  NO_TICKET: "there is no Kerberos ticket for the next proxy: get one with kinit",
  TICKET_EXPIRED: EXPIRED,
  CONTEXT_EXPIRED: EXPIRED,
};

export function statusOf(error: GssocksError): number {
  const status = STATUS_OF[error.code];
  if (status !== undefined) return status;
  if (error instanceof LimitError) return 503;
  if (error instanceof PolicyError) return 403;
  if (error instanceof PeerError) return 400;
  if (error instanceof NetworkError) return error.rep === REP.TTL_EXPIRED ? 504 : 502;
  return 500;
}

/** Says code and reason, but for what goes on inside: that is for the log. */
export function failure(error: GssocksError): Answer {
  const told = error instanceof PolicyError || error instanceof PeerError || error instanceof NetworkError;
  const reason = told ? error.message : REMEDIES[error.code];
  return plainText(statusOf(error), reason === undefined ? error.code : `${error.code}: ${reason}`);
}

/** Whatever was wrong with it: why is for the log alone (RFC 1929 §2 tells no more, either). */
export function refusedCredentials(challenges: readonly string[]): Answer {
  return plainText(407, "AUTHENTICATION_FAILED: the credentials were refused", challenges);
}

export function authenticationRequired(challenges: readonly string[]): Answer {
  return plainText(407, "AUTHENTICATION_REQUIRED: the proxy wants to know who asks", challenges);
}

export function proxyAutoConfig(script: string): Answer {
  return { status: 200, fields: ["Content-Type", "application/x-ns-proxy-autoconfig"], body: script };
}

function plainText(status: number, text: string, fields: readonly string[] = []): Answer {
  return {
    status,
    fields: [...fields, "Content-Type", "text/plain; charset=utf-8", "X-Content-Type-Options", "nosniff"],
    body: `${status} ${STATUS_CODES[status]}\n${text}\n`,
  };
}

/** @param close the connection behind it */
export function send(response: ServerResponse, { status, fields, body }: Answer, close = false): void {
  if (close) response.shouldKeepAlive = false;
  response.writeHead(status, [...fields, "Content-Length", String(Buffer.byteLength(body))]);
  response.end(body);
}

/** On a connection that no parser has. */
export function encodeAnswer({ status, fields, body }: Answer, close: boolean): Buffer {
  const all = [...fields, "Content-Length", String(Buffer.byteLength(body))];
  if (close) all.push("Connection", "close");
  return Buffer.from(`${encodeHead(status, all)}${body}`);
}

/** RFC 9110 §9.3.6: what follows it is the tunnel's, and nothing says how long that is. */
export function tunnelOpened(fields: readonly string[]): Buffer {
  return Buffer.from(encodeHead(200, fields, "Connection established"));
}

/** Of a response that is not the last for its request (RFC 9110 §15.2). */
export function interim(status: number, reason: string, fields: readonly string[]): Buffer {
  return Buffer.from(encodeHead(status, fields, reason), "latin1");
}

function encodeHead(status: number, fields: readonly string[], reason = STATUS_CODES[status]): string {
  const lines = [`HTTP/1.1 ${status} ${reason}`];
  for (let index = 0; index + 1 < fields.length; index += 2)
    lines.push(`${fields[index]}: ${fields[index + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
