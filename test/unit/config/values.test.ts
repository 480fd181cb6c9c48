import assert from "node:assert/strict";
import { test } from "node:test";
import {
  parseDuration,
  parseKeytab,
  parseListenAddress,
  parseListenerAddress,
  parseMechanism,
  parsePeerAddress,
  parseSocketPath,
  parseTargetName,
} from "../../../src/config/values.js";
import { UsageError } from "../../../src/errors.js";

/** Each text with what it means; null where it is refused, in words that repeat it. */
function table<T>(parse: (text: string) => T, rows: [text: string, value: T | null][]): void {
  for (const [text, value] of rows) {
    if (value !== null) assert.deepEqual(parse(text), value, text);
    else {
      const isRefusal = (error: unknown) =>
        error instanceof UsageError && error.message.includes(JSON.stringify(text));
      assert.throws(() => parse(text), isRefusal, text);
    }
  }
}

test("listen addresses", () => {
  table(parseListenAddress, [
    ["127.0.0.1:1080", { host: "127.0.0.1", port: 1080 }],
    ["0.0.0.0:1080", { host: "0.0.0.0", port: 1080 }],
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["[::1]:65535", { host: "::1", port: 65535 }],
    ["[::]:1080", { host: "::", port: 1080 }],
    ["*:1080", { host: "::", port: 1080 }],
    ["[2001:DB8:0::1]:1", { host: "2001:db8::1", port: 1 }],
    ["127.0.0.1", null],
    ["127.0.0.1:", null],
    ["127.0.0.1:65536", null],
    ["127.0.0.1:-1", null],
    ["127.1:1080", null],
    [":1080", null],
    ["1080", null],
    ["::1:1080", null],
    ["[127.0.0.1]:1080", null],
    ["[*]:1080", null],
    ["localhost:1080", null],
    ["127.0.0.1:1080 ", null],
  ]);
});

test("listeners' addresses", () => {
  table(parseListenerAddress, [
    ["*:1080", { host: "::", port: 1080 }],
    ["unix:/run/gssocks/proxy", { unix: "/run/gssocks/proxy" }],
    [`unix:/${"a".repeat(102)}`, { unix: `/${"a".repeat(102)}` }],
    ["systemd:proxy.socket", { systemd: "proxy.socket" }],
    ["unix:", null],
    ["unix:run/proxy", null],
    ["unix:/a\0b", null],
    [`unix:/${"a".repeat(103)}`, null],
    ["systemd:", null],
    ["systemd:a:b", null],
    ["systemd:a b", null],
    ["/run/gssocks/proxy", null],
  ]);
});

test("another program's address", () => {
  table(parsePeerAddress, [
    ["127.0.0.1:114", { host: "127.0.0.1", port: 114 }],
    ["[::1]:114", { host: "::1", port: 114 }],
    ["127.0.0.1:0", null],
    ["*:114", null],
    ["[::]:114", null],
    ["0.0.0.0:114", null],
    ["localhost:114", null],
  ]);
});

test("a Unix socket's path", () => {
  const longest = `/${"x".repeat(102)}`;
  table(parseSocketPath, [
    ["/run/gssocks/identd.sock", "/run/gssocks/identd.sock"],
    [longest, longest],
    [`${longest}x`, null],
    [`/${"ü".repeat(52)}`, null],
    ["identd.sock", null],
    ["/", null],
    ["/a\0b", null],
  ]);
});

test("durations", () => {
  const positive = (text: string) => parseDuration(text, 1);
  table(positive, [
    ["1ms", 1],
    ["500ms", 500],
    ["30s", 30_000],
    ["5m", 300_000],
    ["8h", 28_800_000],
    ["24d", 2_073_600_000],
    ["2147483647ms", 0x7fffffff],
    ["2147483648ms", null],
    ["25d", null],
    ["0s", null],
    ["30", null],
    ["", null],
    ["s", null],
    ["-1s", null],
    ["1.5s", null],
    ["1e3s", null],
    ["30 s", null],
    ["30S", null],
    ["1h30m", null],
    ["never", null],
  ]);
  assert.equal(parseDuration("0s", 0), 0);
});

test("keytabs", () => {
  table(parseKeytab, [
    ["/etc/krb5.keytab", "FILE:/etc/krb5.keytab"],
    ["FILE:/etc/krb5.keytab", "FILE:/etc/krb5.keytab"],
    ["krb5.keytab", null],
    ["FILE:krb5.keytab", null],
    ["MEMORY:keys", null],
    ["/", null],
    ["/etc/\0", null],
    ["", null],
  ]);
});

test("target names", () => {
  table(parseTargetName, [
    ["rcmd@proxy.example.test", "rcmd@proxy.example.test"],
    ["rcmd/proxy.example.test@EXAMPLE.TEST", "rcmd/proxy.example.test@EXAMPLE.TEST"],
    ["rcmd", null],
    ["rcmd/proxy", null],
    ["rcmd@proxy@EXAMPLE.TEST", null],
    ["rcmd/proxy@", null],
    ["@proxy", null],
    ["rcmd@", null],
    ["rcmd@two words", null],
  ]);
});

test("mechanisms", () => {
  table(parseMechanism, [
    ["krb5", "1.2.840.113554.1.2.2"],
    ["spnego", "1.3.6.1.5.5.2"],
    ["iakerb", "1.3.6.1.5.2.5"],
    ["ntlmssp", "1.3.6.1.4.1.311.2.2.10"],
    ["1.2.3", "1.2.3"],
    ["KRB5", "1.2.840.113554.1.2.2"],
    ["kerberos", null],
    ["3.1", null],
    ["1", null],
    ["1.", null],
    ["1.02", null],
    [`1${".1".repeat(64)}`, null],
    ["", null],
  ]);
});
