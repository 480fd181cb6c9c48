import type { AuditSink } from "./audit.js";
import { AuditDatagrams, type SendUnixDatagram } from "./audit-datagrams.js";
import { AuditFile, type Fsync } from "./audit-file.js";
import { journalDatagram } from "./audit-journald.js";
import { AuditLog } from "./audit-log.js";
import { type SyslogPeer, SyslogTcp, SyslogUdp, syslogMessage } from "./audit-syslog.js";
import { AuditTransport } from "./audit-transport.js";
import type { LogDestination } from "./logger.js";

/** Where audit records go. */
export type AuditTarget =
  | { to: "log" }
  | { to: "file"; path: string; fsync: Fsync }
  | { to: "syslog"; address: SyslogAddress; facility: number }
  | { to: "journald"; socket: string }
  | { to: "transport"; target: string; options: Record<string, unknown> };

export type SyslogAddress = { protocol: "unix"; path: string } | ({ protocol: "udp" | "tcp" } & SyslogPeer);

export interface SinkParts {
  log: LogDestination;
  /** No log at all, and so none of the records in it. */
  silent: boolean;
  sendUnixDatagram: SendUnixDatagram;
}

/** @throws NetworkError where it can't be begun */
export async function openAuditSink(target: AuditTarget, parts: SinkParts): Promise<AuditSink> {
  switch (target.to) {
    case "log":
      return new AuditLog(parts.log, parts.silent);
    case "file":
      return AuditFile.open(target.path, target.fsync);
    case "syslog":
      return syslog(target.address, target.facility, parts.sendUnixDatagram);
    case "journald":
      return new AuditDatagrams(target.socket, journalDatagram, parts.sendUnixDatagram);
    case "transport":
      return AuditTransport.open(target.target, target.options);
  }
}

function syslog(address: SyslogAddress, facility: number, send: SendUnixDatagram): AuditSink {
  if (address.protocol === "unix")
    return new AuditDatagrams(address.path, (entry) => Buffer.from(syslogMessage(entry, facility)), send);
  return address.protocol === "udp" ? new SyslogUdp(address, facility) : new SyslogTcp(address, facility);
}
