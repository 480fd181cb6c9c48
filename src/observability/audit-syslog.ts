/** Audit records as syslog messages (RFC 5424): over UDP (RFC 5426), or TCP with each message's length before it (RFC 6587 §3.4.1). */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect, isIPv6, type Socket } from "node:net";
import { hostname } from "node:os";
import { type AuditEntry, type AuditSink, encode } from "./audit.js";

export interface SyslogPeer {
  host: string;
  port: number;
}

/** How long the receiver may take to answer a connection, in ms. */
const CONNECT_TIMEOUT = 10_000;

/** HEADER, no STRUCTURED-DATA, and the record as MSG (RFC 5424 §6). */
export function syslogMessage(entry: AuditEntry, facility: number): string {
  const { time, type } = entry.record;
  const priority = facility * 8 + severityOf(entry);
  return `<${priority}>1 ${time} ${HOSTNAME} gssocks ${process.pid} ${type} - ${encode(entry)}}`;
}

/** RFC 5424 §6.2.1; the journal's priorities are the same. */
export function severityOf({ record }: AuditEntry): number {
  if (record.type === "lost") return WARNING;
  if (record.type === "decision" && record.decision !== "allow") return NOTICE;
  return record.type === "session" && record.outcome === "denied" ? NOTICE : INFORMATIONAL;
}

const WARNING = 4;
const NOTICE = 5;
const INFORMATIONAL = 6;

/** HOSTNAME = NILVALUE / 1*255PRINTUSASCII. */
const HOSTNAME =
  hostname()
    .replaceAll(/[^!-~]/g, "")
    .slice(0, 255) || "-";

export class SyslogUdp implements AuditSink {
  readonly #peer: SyslogPeer;
  readonly #facility: number;
  readonly #socket: UdpSocket;

  constructor(peer: SyslogPeer, facility: number) {
    this.#peer = peer;
    this.#facility = facility;
    this.#socket = createSocket(isIPv6(peer.host) ? "udp6" : "udp4").unref();
    this.#socket.on("error", () => {});
  }

  async write(entries: AuditEntry[]): Promise<void> {
    const { host, port } = this.#peer;
    while (entries.length > 0) {
      const message = syslogMessage(entries[0] as AuditEntry, this.#facility);
      await new Promise<void>((resolve, reject) => {
        this.#socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)));
      });
      entries.shift();
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
  }
}

export class SyslogTcp implements AuditSink {
  readonly #peer: SyslogPeer;
  readonly #facility: number;
  #socket: Socket | null = null;

  constructor(peer: SyslogPeer, facility: number) {
    this.#peer = peer;
    this.#facility = facility;
  }

  async write(entries: AuditEntry[]): Promise<void> {
    this.#socket ??= await this.#connect();
    const socket = this.#socket;
    const frames = entries.map((entry) => {
      const message = Buffer.from(syslogMessage(entry, this.#facility));
      return Buffer.concat([Buffer.from(`${message.length} `), message]);
    });
    await new Promise<void>((resolve, reject) => {
      const lost = () => reject(new Error("the syslog server closed the connection"));
      socket.once("close", lost);
      socket.write(Buffer.concat(frames), (error) => {
        socket.off("close", lost);
        if (error) reject(error);
        else resolve();
      });
    });
    entries.length = 0;
  }

  async close(): Promise<void> {
    const socket = this.#socket;
    if (socket === null) return;
    const closed = once(socket, "close");
    socket.end();
    // What it has not read by then, it never will.
    const timer = setTimeout(() => socket.destroy(), 1000);
    await closed;
    clearTimeout(timer);
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ ...this.#peer, keepAlive: true });
    const signal = AbortSignal.timeout(CONNECT_TIMEOUT);
    try {
      await once(socket, "connect", { signal });
    } catch (error) {
      socket.destroy();
      throw signal.aborted ? new Error("the syslog server does not answer") : error;
    }
    // It has nothing to say to us; its end is the connection's.
    return socket
      .resume()
      .on("error", () => {})
      .on("end", () => socket.destroy())
      .on("close", () => {
        if (this.#socket === socket) this.#socket = null;
      });
  }
}
