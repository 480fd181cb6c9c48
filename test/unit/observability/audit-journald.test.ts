// Audit records in the journal: what systemd-journald itself makes of them, and, for every octet, what is sent to it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { native } from "../../../src/gss/native.js";
import { AuditTrail } from "../../../src/observability/audit.js";
import { AuditDatagrams } from "../../../src/observability/audit-datagrams.js";
import { journalDatagram } from "../../../src/observability/audit-journald.js";
import { assertNoHoles, auditRecord } from "../../support/audit.js";
import { Journald } from "../../support/journald.js";
import { UnixReceiver } from "../../support/unix-receiver.js";
import { decision, session } from "./records.js";

function begin(socket: string, options: { onFull?: "block" | "drop"; queue?: number } = {}) {
  const told: (string | null)[] = [];
  const sink = new AuditDatagrams(socket, journalDatagram, native.sendUnixDatagram);
  const trail = new AuditTrail(sink, { onFull: "block", queue: 10_000, ...options }, (event) => {
    if (event.type === "audit-trail") told.push(event.reason);
  });
  return { trail, told };
}

test("systemd-journald keeps them, and finds them by their fields", async (t) => {
  const missing = await Journald.missing();
  if (missing !== null) return t.skip(missing);
  const journald = await Journald.start(t);
  const { trail, told } = begin(journald.socket);
  trail.add(decision("a.test:443"));
  const principal = "two\nlines=x@EXAMPLE.TEST";
  trail.add(decision("b.test:443", { principal, decision: "deny", code: "RULE_DENIED", addresses: [] }));
  for (let n = 0; n < 500; n += 1) trail.add(session(`${n}.test:443`));
  assert.equal(await trail.close(10_000, true), 0);
  assert.deepEqual(told, []);
  const all = await journald.entries("SYSLOG_IDENTIFIER=gssocks");
  assertNoHoles(all.map(({ MESSAGE }) => auditRecord(String(MESSAGE))));
  assert.equal(all.length, 504);
  const [denied, ...others] = await journald.entries("GSSOCKS_DECISION=deny");
  assert.deepEqual(others, []);
  assert.equal(denied?.GSSOCKS_PRINCIPAL, principal);
  assert.deepEqual([denied?.PRIORITY, denied?.GSSOCKS_CODE], ["5", "RULE_DENIED"]);
  assert.equal((await journald.entries("GSSOCKS_TYPE=session", "GSSOCKS_DESTINATION=7.test:443")).length, 1);
  assert.equal((await journald.entries("GSSOCKS_PRINCIPAL=alice@EXAMPLE.TEST")).length, 501);
});

test("the datagram's octets", async () => {
  const record = decision("a.test:443", { principal: "a\nb", mechanism: null });
  const octets = journalDatagram({ start: "00112233445566ff", seq: 7, record });
  const text = octets.toString("latin1");
  const [message = "", ...fields] = text.split("\n");
  assert.equal(auditRecord(message.replace(/^MESSAGE=/, "")).seq, 7);
  assert.deepEqual(fields, [
    "PRIORITY=6",
    "SYSLOG_IDENTIFIER=gssocks",
    "GSSOCKS_TYPE=decision",
    "GSSOCKS_SESSION=00112233445566ff",
    "GSSOCKS_CLIENT=192.0.2.1:50000",
    "GSSOCKS_PRINCIPAL",
    "\x03\0\0\0\0\0\0\0a",
    "b",
    "GSSOCKS_DESTINATION=a.test:443",
    "GSSOCKS_DECISION=allow",
    "",
  ]);
});

test("a receiver that is behind is waited for, one that is gone is told of, and none is lost or sent twice", async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const socket = path.join(directory, "socket");
  const receiver = await UnixReceiver.bind(t, socket);
  // More than a Unix socket queues (net.unix.max_dgram_qlen) are too many for one that does not read.
  const { trail, told } = begin(socket, { queue: 1000 });
  for (let n = 0; n < 798; n += 1) trail.add(decision(`${n}.test`));
  let done = false;
  const written = trail.written().then(() => {
    done = true;
  });
  await new Promise((turn) => setTimeout(turn, 100));
  assert.equal(done, false);
  receiver.read();
  await written;
  const first = await receiver.datagrams(799);
  assert.deepEqual(told, []);

  await receiver.stop();
  rmSync(socket);
  trail.add(decision("later.test"));
  while (told.length === 0) await new Promise((turn) => setTimeout(turn, 10));
  assert.equal(told[0], `the audit trail can't be written: ${socket}: ENOENT`);
  const next = await UnixReceiver.bind(t, socket);
  next.read();
  assert.equal(await trail.close(10_000, true), 0);
  const datagrams = [...first, ...(await next.datagrams(2))];
  const lines = datagrams.map(
    (each) =>
      each
        .toString()
        .split("\n")[0]
        ?.replace(/^MESSAGE=/, "") ?? "",
  );
  assertNoHoles(lines.map(auditRecord));
  assert.equal(lines.length, 801);
});

test("what the addon's call says", () => {
  const octets = Buffer.from("x");
  const errno = (name: string) => native.sendUnixDatagram(name, octets);
  assert.notEqual(errno("/nowhere/at/all"), 0);
  assert.notEqual(errno(`/${"n".repeat(200)}`), 0);
  assert.throws(() => native.sendUnixDatagram("a\0b", octets), TypeError);
  assert.throws(() => native.sendUnixDatagram("/a", "text" as unknown as Uint8Array), TypeError);
});
