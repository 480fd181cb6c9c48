/**
 * Audit records for the journal, in the native protocol of systemd-journald: a datagram of fields, `NAME=value` and a
 * newline, or, where the value holds a newline, `NAME`, a newline, its length in 64 bits, little-endian, and the value.
 */
import { type AuditEntry, encode } from "./audit.js";
import { severityOf } from "./audit-syslog.js";

/** Fields of their own, for journalctl to look for: `journalctl GSSOCKS_PRINCIPAL=alice@EXAMPLE.TEST`. */
const FIELDS: Readonly<Record<string, string>> = {
  type: "GSSOCKS_TYPE",
  session: "GSSOCKS_SESSION",
  principal: "GSSOCKS_PRINCIPAL",
  client: "GSSOCKS_CLIENT",
  destination: "GSSOCKS_DESTINATION",
  decision: "GSSOCKS_DECISION",
  outcome: "GSSOCKS_OUTCOME",
  code: "GSSOCKS_CODE",
};

export function journalDatagram(entry: AuditEntry): Buffer {
  const own = Object.entries(entry.record).flatMap(([key, value]) => {
    const name = FIELDS[key];
    return name === undefined || value === null ? [] : [field(name, String(value))];
  });
  return Buffer.concat([
    field("MESSAGE", `${encode(entry)}}`),
    field("PRIORITY", String(severityOf(entry))),
    field("SYSLOG_IDENTIFIER", "gssocks"),
    ...own,
  ]);
}

function field(name: string, value: string): Buffer {
  if (!value.includes("\n")) return Buffer.from(`${name}=${value}\n`);
  const octets = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(octets.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, octets, Buffer.from("\n")]);
}
