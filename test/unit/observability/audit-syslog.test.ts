// Audit records as syslog messages: to a datagram socket as /dev/log is one, over UDP, over TCP with a server that goes
// and comes back; each message read by the grammar of RFC 5424.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { native } from "../../../src/gss/native.js";
import { AuditTrail } from "../../../src/observability/audit.js";
import { openAuditSink, type SyslogAddress } from "../../../src/observability/audit-sinks.js";
import type { LogDestination } from "../../../src/observability/logger.js";
import { assertNoHoles, auditRecord } from "../../support/audit.js";
import { until } from "../../support/kernel.js";
import { UnixReceiver } from "../../support/unix-receiver.js";
import { decision, session } from "./records.js";

const AUTHPRIV = 10;

async function begin(address: SyslogAddress) {
  const told: (string | null)[] = [];
  const target = { to: "syslog", address, facility: AUTHPRIV } as const;
  const sink = await openAuditSink(target, {
    log: null as unknown as LogDestination,
    silent: false,
    sendUnixDatagram: native.sendUnixDatagram,
  });
  const trail = new AuditTrail(sink, { onFull: "block", queue: 10_000 }, (event) => {
    if (event.type === "audit-trail") told.push(event.reason);
  });
  return { trail, told };
}

/** SYSLOG-MSG = HEADER SP STRUCTURED-DATA [SP MSG] (RFC 5424 §6). */
const MESSAGE =
  /^<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) gssocks (\d{1,128}) ([!-~]{1,32}) - (\{.*\})$/;

function read(message: string) {
  const [, priority, time, host, pid, id, text = ""] = MESSAGE.exec(message) ?? assert.fail(message);
  const record = auditRecord(text);
  assert.deepEqual([time, host, pid, id], [record.time, hostname(), String(process.pid), record.type]);
  return { severity: Number(priority) - AUTHPRIV * 8, record };
}

/** A decision of each kind, sessions, and the ends of the trail: what their severities are. */
const RECORDS = [
  decision("a.test:1"),
  decision("b.test:1", { decision: "deny" }),
  decision("c.test:1", { decision: null }),
  session("a.test:1"),
  session("b.test:1", { outcome: "denied" }),
  session("c.test:1", { outcome: "failed" }),
];
const SEVERITIES = [6, 6, 5, 5, 6, 5, 6, 6];

function assertAll(messages: readonly string[]): void {
  const all = messages.map(read);
  assertNoHoles(all.map(({ record }) => record));
  assert.deepEqual(
    all.map(({ severity }) => severity),
    SEVERITIES,
  );
}

test("to a datagram socket", async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const receiver = await UnixReceiver.bind(t, path.join(directory, "log"));
  receiver.read();
  const { trail } = await begin({ protocol: "unix", path: path.join(directory, "log") });
  for (const record of RECORDS) trail.add(record);
  assert.equal(await trail.close(5000, true), 0);
  assertAll((await receiver.datagrams(SEVERITIES.length)).map(String));
});

for (const host of ["127.0.0.1", "::1"]) {
  test(`over UDP to ${host}`, async (t) => {
    const server = createSocket(host === "::1" ? "udp6" : "udp4");
    t.after(() => server.close());
    const messages: string[] = [];
    server.on("message", (octets) => messages.push(octets.toString()));
    server.bind(0, host);
    await once(server, "listening");
    const { trail } = await begin({ protocol: "udp", host, port: server.address().port });
    for (const record of RECORDS) trail.add(record);
    assert.equal(await trail.close(5000, true), 0);
    await until("all have come", () => messages.length === SEVERITIES.length);
    assertAll(messages);
  });
}

/** A server that cuts the stream by the lengths in it (RFC 6587 §3.4.1). */
async function tcpServer(t: TestContext, port = 0) {
  let octets = Buffer.alloc(0);
  const messages: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket
      .on("error", () => {})
      .on("data", (chunk) => {
        octets = Buffer.concat([octets, chunk]);
        for (;;) {
          const [header, length] = /^(\d+) /.exec(octets.toString("latin1")) ?? [];
          if (header === undefined || octets.length < header.length + Number(length)) return;
          messages.push(octets.subarray(header.length, header.length + Number(length)).toString());
          octets = octets.subarray(header.length + Number(length));
        }
      });
  });
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  t.after(stop);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return { messages, sockets, stop, port: (server.address() as AddressInfo).port };
}

test("over TCP, at the same length in octets as was said", async (t) => {
  const { messages, port } = await tcpServer(t);
  const { trail } = await begin({ protocol: "tcp", host: "127.0.0.1", port });
  trail.add(decision("ümläut.test:1"));
  for (const record of RECORDS.slice(1)) trail.add(record);
  assert.equal(await trail.close(5000, true), 0);
  assertAll(messages);
});

test("over TCP: a server that goes is told of, and has the rest when it is back", async (t) => {
  const first = await tcpServer(t);
  const { trail, told } = await begin({ protocol: "tcp", host: "127.0.0.1", port: first.port });
  trail.add(decision("a.test:1"));
  await trail.written();
  await until("the first have come", () => first.messages.length === 2);
  first.stop();
  // A write into a connection that nobody reads any more may still succeed: RFC 6587 §3 has no acknowledgement.
  await until("its end was seen", () => first.sockets.every(({ closed }) => closed));
  await new Promise((turn) => setTimeout(turn, 50));
  for (const name of ["b.test:1", "c.test:1"]) trail.add(decision(name));
  await until("it is told", () => told.length > 0);
  assert.match(told[0] ?? "", /^the audit trail can't be written: connect ECONNREFUSED/);
  const second = await tcpServer(t, first.port);
  assert.equal(await trail.close(10_000, true), 0);
  const all = [...first.messages, ...second.messages].map((message) => read(message).record);
  assertNoHoles(all);
  assert.equal(all.length, 5);
  assert.equal(told.at(-1), null);
});

test("over TCP: a server that does not read holds up whoever waits, and not the end", async (t) => {
  const server = createServer((socket) => void socket.pause().on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { trail } = await begin({ protocol: "tcp", host: "127.0.0.1", port });
  for (let n = 0; trail.full === null; n += 1) {
    trail.add(decision(`${n}.test:1`));
    if (n % 100 === 0) await new Promise((turn) => setImmediate(turn));
  }
  assert.match(trail.full ?? "", /^\d+ records wait/);
  const left = await trail.close(100, true);
  assert.ok(left > 0);
});
