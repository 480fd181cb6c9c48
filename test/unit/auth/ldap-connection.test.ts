// Servers that are no directory, or stand between us and one: nothing is sent to them but StartTLS, and all ends in time.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { LdapBind } from "../../../src/auth/ldap-bind.js";
import { NetworkError } from "../../../src/errors.js";
import { Origin } from "../../support/origin.js";
import { hex } from "../protocol/hex.js";

/** The ExtendedResponse (RFC 4511 §4.12) to our first message, with a resultCode. */
const answer = (code: string) => hex(`30 0c 02 01 02 78 07 0a 01 ${code} 04 00 04 00`);

/** A search entry for our next message, whole, and one that would take what comes through TLS for its own. */
const ENTRY = hex("30 19 02 01 03 64 14 04 08 63 6e 3d 65 76 69 6c 31 30 08 30 06 04 02 63 6e 31 00");

interface Attack {
  says: RegExp;
  serve(socket: Socket, octets: Buffer): void;
}

const ATTACKS: Record<string, Attack> = {
  "refuses StartTLS": { serve: (socket) => socket.write(answer("02")), says: /answers: / },
  "closes after StartTLS": { serve: (socket) => socket.end(answer("00")), says: /can't be asked: / },
  "speaks no TLS after StartTLS": {
    serve: (socket) => socket.write(socket.bytesRead > 40 ? "no TLS" : answer("00")),
    says: /can't be asked: /,
  },
  "puts a message behind the answer": {
    serve: (socket) => socket.write(Buffer.concat([answer("00"), ENTRY])),
    says: /more in clear than the answer to StartTLS/,
  },
  "puts the beginning of a message behind the answer": {
    serve: (socket) => socket.write(Buffer.concat([answer("00"), ENTRY.subarray(0, 9)])),
    says: /more in clear than the answer to StartTLS/,
  },
  "puts a message before the answer": {
    serve: (socket) => socket.write(Buffer.concat([ENTRY, answer("00")])),
    says: /more in clear than the answer to StartTLS/,
  },
  "answers without end": {
    serve: (socket) => socket.write(Buffer.concat([hex("30 83 0f ff ff"), Buffer.alloc(100_000)])),
    says: /more in clear|can't be asked/,
  },
  "sends what is no LDAP": {
    serve: (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    says: /can't be asked: /,
  },
  "says nothing": { serve: () => {}, says: /no answer within 0\.5 s|timed out/ },
  "stops after the answer": {
    serve: (socket) => void (socket.bytesRead > 40 || socket.write(answer("00"))),
    says: /no answer within 0\.5 s|timed out/,
  },
};

for (const [name, { serve, says }] of Object.entries(ATTACKS)) {
  test(`a server that ${name}`, async (t) => {
    const received: Buffer[] = [];
    const server = await Origin.start((socket) =>
      socket.on("data", (octets: Buffer) => {
        received.push(octets);
        serve(socket, octets);
      }),
    );
    t.after(() => server.stop());
    const passwords = await LdapBind.create({
      url: `ldap://127.0.0.1:${server.port}`,
      base: "dc=example,dc=test",
      nameAttribute: "uid",
      timeout: 500,
    });
    await assert.rejects(passwords.verify("alice", Buffer.from("alice-password")), (error) => {
      assert.ok(error instanceof NetworkError && error.code === "LDAP_FAILED");
      assert.match(error.message, says);
      return true;
    });
    assert.equal(server.sockets.length, 1);
    const [request, ...tls] = received;
    // Its OID, and then nothing but TLS.
    assert.match(request?.toString("latin1") ?? "", /1\.3\.6\.1\.4\.1\.1466\.20037/);
    for (const octets of tls) assert.ok([0x15, 0x16].includes(octets[0] ?? 0), octets.toString("hex"));
    assert.doesNotMatch(Buffer.concat(received).toString("latin1"), /alice/);
  });
}

test("a TLS server that says nothing is not waited for", async (t) => {
  const server = await Origin.start(() => {});
  t.after(() => server.stop());
  const url = `ldaps://127.0.0.1:${server.port}`;
  const passwords = await LdapBind.create({ url, base: "dc=test", nameAttribute: "uid", timeout: 300 });
  await assert.rejects(passwords.verify("alice", Buffer.from("x")), /no answer within 0\.3 s|timeout/i);
});
