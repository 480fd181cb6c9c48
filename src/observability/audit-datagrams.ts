/** Audit records as datagrams to a Unix socket, which Node can't send itself: the journal's, or the local syslog's. */
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { getSystemErrorName } from "node:util";
import type { AuditEntry, AuditSink } from "./audit.js";

/** Sends one datagram to a Unix socket, without waiting. @returns errno; 0 where it was taken */
export type SendUnixDatagram = (path: string, octets: Uint8Array) => number;

const { EAGAIN, ENOBUFS } = constants.errno;

/** How often a receiver that is behind is tried again, in ms. */
const BEHIND = 10;

export class AuditDatagrams implements AuditSink {
  readonly #path: string;
  readonly #encode: (entry: AuditEntry) => Buffer;
  readonly #send: SendUnixDatagram;
  #closed = false;

  constructor(path: string, encode: (entry: AuditEntry) => Buffer, send: SendUnixDatagram) {
    this.#path = path;
    this.#encode = encode;
    this.#send = send;
  }

  async write(entries: AuditEntry[]): Promise<void> {
    while (entries.length > 0) {
      const failure = this.#send(this.#path, this.#encode(entries[0] as AuditEntry));
      if (failure === 0) entries.shift();
      else if ((failure === EAGAIN || failure === ENOBUFS) && !this.#closed) await delay(BEHIND);
      else throw new Error(`${this.#path}: ${getSystemErrorName(-failure)}`);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}
