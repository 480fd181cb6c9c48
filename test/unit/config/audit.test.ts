// `audit` in the configuration: each place that records may go to, and what can't be.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../../src/config/load.js";
import { ConfigError } from "../../../src/errors.js";

const parse = (audit: string) =>
  parseConfig(`listeners: [{ address: "127.0.0.1:1" }]\naudit: ${audit}`, "f").audit;

const PLACES: [audit: string, target: object][] = [
  ["{}", { to: "log" }],
  ["{ file: /var/log/audit }", { to: "file", path: "/var/log/audit", fsync: 1000 }],
  ["{ file: /a, fsync: never }", { to: "file", path: "/a", fsync: "never" }],
  ["{ file: /a, fsync: always }", { to: "file", path: "/a", fsync: "always" }],
  ["{ file: /a, fsync: 200ms }", { to: "file", path: "/a", fsync: 200 }],
  ["{ syslog: {} }", { to: "syslog", address: { protocol: "unix", path: "/dev/log" }, facility: 10 }],
  [
    "{ syslog: { address: 'udp://192.0.2.1:514', facility: local7 } }",
    { to: "syslog", address: { protocol: "udp", host: "192.0.2.1", port: 514 }, facility: 23 },
  ],
  [
    "{ syslog: { address: 'tcp://[2001:db8::1]:601', facility: auth } }",
    { to: "syslog", address: { protocol: "tcp", host: "2001:db8::1", port: 601 }, facility: 4 },
  ],
  ["{ journald: {} }", { to: "journald", socket: "/run/systemd/journal/socket" }],
  ["{ journald: { socket: /j } }", { to: "journald", socket: "/j" }],
  ["{ transport: { target: pino/file } }", { to: "transport", target: "pino/file", options: {} }],
  [
    "{ transport: { target: t, options: { a: [1], b: { c: d } } } }",
    { to: "transport", target: "t", options: { a: [1], b: { c: "d" } } },
  ],
];

for (const [audit, target] of PLACES) {
  test(audit, () => assert.deepEqual(parse(audit).target, target));
}

const WRONG: [audit: string, path: string, says: RegExp][] = [
  ["{ file: audit }", "audit.file", /^expected an absolute path, found "audit"$/],
  [
    "{ file: /a, journald: {} }",
    "audit.journald",
    /^the records go to one place only, and file is given too$/,
  ],
  ["{ fsync: 1s }", "audit.fsync", /^of no use without file$/],
  [
    "{ file: /a, fsync: sometimes }",
    "audit.fsync",
    /^expected a number with its unit, as .*found "sometimes"$/,
  ],
  [
    "{ syslog: { address: localhost } }",
    "audit.syslog.address",
    /^expected \/dev\/log, udp:.*found "localhost"$/,
  ],
  [
    "{ syslog: { address: 'udp://loghost:514' } }",
    "audit.syslog.address",
    /^expected an IP address and a port/,
  ],
  ["{ syslog: { address: 'tls://192.0.2.1:6514' } }", "audit.syslog.address", /^expected \/dev\/log, udp:/],
  [
    "{ syslog: { facility: kern } }",
    "audit.syslog.facility",
    /^expected one of user, daemon, .*found "kern"$/,
  ],
  [`{ journald: { socket: /${"j".repeat(103)} } }`, "audit.journald.socket", /of at most 103 octets/],
  ["{ transport: {} }", "audit.transport.target", /^missing; expected text$/],
  ["{ onFull: wait }", "audit.onFull", /^expected one of block, drop, found "wait"$/],
  ["{ queue: 0 }", "audit.queue", /^expected at least 1, found the number 0$/],
];

for (const [audit, path, says] of WRONG) {
  test(`${audit} can't be`, () => {
    assert.throws(
      () => parse(audit),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(
          error.problems.map((problem) => problem.path),
          [path],
        );
        assert.match(error.problems[0]?.message ?? "", says);
        return true;
      },
    );
  });
}
