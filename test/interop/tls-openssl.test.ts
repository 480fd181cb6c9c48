/**
 * `openssl s_client` as the client's TLS, SOCKS5 fed to it by hand: TLS 1.2 and 1.3 and nothing older, a client's
 * certificate that says who it is, authorities that are not known on either side.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { Certificate } from "../support/certificates.js";
import type { Conversation } from "../support/plain-proxy.js";
import { start } from "../support/processes.js";
import { SUBJECT, tlsProxy } from "../support/tls-proxy.js";

test("openssl s_client in front of SOCKS5", async (t) => {
  const { proxy, authority, stranger, client, impostor, ...ports } = await tlsProxy(t);
  const data = randomBytes(40_000);

  /** Method selection, a CONNECT and data, all in one; standard output has what the proxy answers. */
  async function speak(port: number, destination: number, options: readonly string[], ca: Certificate) {
    const request = [5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, destination >> 8, destination & 0xff];
    const args = [
      "s_client",
      "-quiet",
      "-brief",
      "-connect",
      `127.0.0.1:${port}`,
      "-servername",
      "localhost",
    ];
    const verify = ["-CAfile", ca.certificate, "-verify_return_error", "-verify_hostname", "localhost"];
    const child = await start("openssl", [...args, ...verify, ...options], {
      test: t,
      input: Buffer.concat([Buffer.from(request), data]),
    });
    const { code } = await child.exited;
    return { code, answer: child.stdoutBytes(), stderr: child.stderr() };
  }
  const as = ({ certificate, key }: Certificate) => ["-cert", certificate, "-key", key];
  const certified = { principal: SUBJECT, method: "certificate" };

  const cases: [
    what: string,
    port: number,
    options: string[],
    version: string,
    conversation: Conversation,
  ][] = [
    ["TLS 1.2", ports.open, ["-tls1_2"], "TLSv1.2", {}],
    ["TLS 1.3", ports.open, ["-tls1_3"], "TLSv1.3", {}],
    ["its own choice", ports.newest, [], "TLSv1.3", {}],
    ["a certificate in TLS 1.2", ports.certified, ["-tls1_2", ...as(client)], "TLSv1.2", certified],
    ["a certificate in TLS 1.3", ports.certified, ["-tls1_3", ...as(client)], "TLSv1.3", certified],
    ["a certificate that is required", ports.required, as(client), "TLSv1.3", certified],
  ];
  for (const [what, port, options, version, conversation] of cases) {
    await t.test(what, async () => {
      // s_client stays until the other side ends.
      const origin = await proxy.origin((socket) => {
        let left = data.length;
        socket.on("data", (octets) => {
          left -= octets.length;
          if (left > 0) socket.write(octets);
          else socket.end(octets);
        });
      });
      const { code, answer, stderr } = await speak(port, origin.port, options, authority);
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`^Protocol version: ${version}$`, "m"));
      assert.match(stderr, /^Verification: OK$/m);
      // METHOD 0x00, then the reply, whose BND is ours.
      assert.equal(answer.subarray(0, 6).toString("hex"), "050005000001");
      assert.ok(answer.subarray(12).equals(data));
      const record = await proxy.assertServed(origin.port, conversation);
      assert.deepEqual([record.bytesUp, record.bytesDown], [data.length, data.length]);
    });
  }

  /** Before SOCKS has begun. */
  const refusals: [what: string, port: number, options: string[], ca: Certificate, reason: RegExp][] = [
    ["an authority that is not the proxy's", ports.open, [], stranger, /unknown ca/],
    ["TLS 1.1", ports.open, ["-tls1_1", "-cipher", "ALL@SECLEVEL=0"], authority, /unsupported protocol/],
    ["TLS 1.2 where 1.3 is the least", ports.newest, ["-tls1_2"], authority, /unsupported protocol/],
    ["no certificate where one is required", ports.required, [], authority, /did not return a certificate/],
    [
      "a stranger's certificate where one is required",
      ports.required,
      as(impostor),
      authority,
      /tls\.clientAuthorities/,
    ],
  ];
  for (const [what, port, options, ca, reason] of refusals) {
    await t.test(`refused: ${what}`, async () => {
      const isNew = proxy.server.later();
      const { answer } = await speak(port, 1, options, ca);
      assert.equal(answer.length, 0);
      const record = await proxy.server.audit(isNew);
      assert.deepEqual([record.code, record.outcome, record.method], ["TLS_HANDSHAKE", "failed", null]);
      assert.match(String(record.reason), reason);
    });
  }

  for (const [what, options] of [
    ["no certificate", []],
    ["a stranger's certificate", as(impostor)],
  ] as const) {
    await t.test(`refused: ${what} where the method is certificate`, async () => {
      const isNew = proxy.server.later();
      const { answer } = await speak(ports.certified, 1, options, authority);
      assert.equal(answer.toString("hex"), "05ff");
      const record = await proxy.server.audit(isNew);
      assert.deepEqual([record.code, record.principal, record.method], ["NO_ACCEPTABLE_METHOD", null, null]);
    });
  }
});
