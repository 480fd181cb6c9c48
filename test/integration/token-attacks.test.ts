/**
 * What is tested: sealed data that somebody on the way replays, reorders, drops, truncates or changes, and tokens that
 * lack the protection agreed on, end the session (RFC 1961 §5, RFC 2743 §1.2.3): the destination sees a reset and none
 * of that data, and the log says why. Once per enctype, with the fast path and without, as data and
 * as the request.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { deferred } from "../support/deferred.js";
import { ENCTYPES } from "../support/enctypes.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { connectRequest, RawClient } from "../support/raw-client.js";

const HELLO = Buffer.from("hello");
const MORE = Buffer.from("more of it");

interface Attack {
  name: string;
  level?: 1 | 2;
  /** What follows the frame with HELLO (or the request), which is `sent`. */
  bad(client: RawClient, sent: Buffer): Buffer;
  code: string;
  reason: RegExp;
}

function changed(frame: Buffer, at: number): Buffer {
  const copy = Buffer.from(frame);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = (copy[index] as number) ^ 0x01;
  return copy;
}

/** RFC 4121 §4.2.6.2: a Wrap token has 16 octets of header, behind our 4; its sequence number ends at 15. */
const SEQUENCE_NUMBER = 4 + 15;
const FIRST_OF_BODY = 4 + 16;

const later = (client: RawClient, conf: boolean) => {
  client.seal(MORE, conf);
  return client.seal(MORE, conf);
};

const ATTACKS: Attack[] = [
  { name: "replayed", bad: (_, sent) => sent, code: "REPLAYED_TOKEN", reason: /replayed/ },
  { name: "replayed", level: 1, bad: (_, sent) => sent, code: "REPLAYED_TOKEN", reason: /replayed/ },
  { name: "one missing", bad: (client) => later(client, true), code: "MISSING_TOKEN", reason: /missing/ },
  {
    name: "one missing",
    level: 1,
    bad: (client) => later(client, false),
    code: "MISSING_TOKEN",
    reason: /missing/,
  },
  {
    name: "reordered",
    bad(client) {
      const [early, late] = [client.seal(MORE), client.seal(MORE)];
      return Buffer.concat([late, early]);
    },
    code: "MISSING_TOKEN",
    reason: /missing/,
  },
  {
    name: "ciphertext changed",
    bad: (client) => changed(client.seal(MORE), FIRST_OF_BODY + 20),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "checksum changed",
    bad: (client) => changed(client.seal(MORE), -1),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "plain text changed",
    level: 1,
    bad: (client) => changed(client.seal(MORE, false), FIRST_OF_BODY),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "sequence number changed",
    bad: (client) => changed(client.seal(MORE), SEQUENCE_NUMBER),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "cut short, len fitting",
    bad: (client) => encodeGssapiMessage(MTYP.USER_DATA, client.seal(MORE).subarray(4, -5)),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "no token",
    bad: () => encodeGssapiMessage(MTYP.USER_DATA, Buffer.alloc(0)),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "garbage as long as len allows",
    bad: () => encodeGssapiMessage(MTYP.USER_DATA, Buffer.alloc(0xffff, 0x05)),
    code: "BAD_TOKEN",
    reason: /gss_unwrap/,
  },
  {
    name: "integrity alone under level confidentiality",
    bad: (client) => client.seal(MORE, false),
    code: "NOT_CONFIDENTIAL",
    reason: /integrity-only token under level confidentiality/,
  },
  { name: "in clear", bad: () => MORE, code: "BAD_VERSION", reason: /ver is 0x6d, expected 0x01/ },
  {
    name: "with the mtyp of a level message",
    bad: (client) => encodeGssapiMessage(MTYP.PROTECTION_LEVEL, client.context.wrap(MORE, true)),
    code: "UNEXPECTED_MESSAGE",
    reason: /type 2 where 3 was expected/,
  },
  { name: "an abort", bad: () => Buffer.from([0x01, 0xff]), code: "ABORTED", reason: /abort/ },
];

for (const [enctype, fastPath] of ENCTYPES.flatMap((each) =>
  [true, false].map((on) => [each, on] as const),
)) {
  test(`attacks on tokens, ${enctype}, ${fastPath ? "fast path" : "the library's calls"}`, async (context) => {
    const { proxy } = await proxiedRealm(context, { gssapi: { fastPath } }, { enctypes: [enctype] });
    const visited = { data: deferred<string>(), reset: deferred<string>() };
    const origin = await Origin.start((socket) => {
      socket.on("data", (octets) => visited.data.resolve(octets.toString()));
      socket
        .on("end", () => visited.reset.resolve("an end"))
        .on("error", (error: NodeJS.ErrnoException) => visited.reset.resolve(String(error.code)));
    });
    context.after(() => origin.stop());

    for (const { name, level = 2, bad, code, reason } of ATTACKS) {
      await context.test(`data at level ${level}: ${name}`, async () => {
        Object.assign(visited, { data: deferred(), reset: deferred() });
        const client = await RawClient.through(proxy, origin, { level });
        const sent = client.seal(HELLO, level === 2);
        client.send(sent);
        assert.equal(await visited.data.promise, "hello");
        visited.data = deferred();
        visited.data.promise.then((octets) => visited.reset.resolve(`data: ${octets}`));
        client.send(bad(client, sent));
        assert.equal(await visited.reset.promise, "ECONNRESET");
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.outcome, record.code, record.bytesUp], ["failed", code, HELLO.length]);
        assert.match(String(record.reason), reason);
        assert.equal((await client.farewell()).how, "reset");
        client.close();
      });

      await context.test(`request at level ${level}: ${name}`, async () => {
        const client = await RawClient.connect(proxy.port);
        await client.authenticate();
        assert.equal(await client.negotiate(level), level);
        const request = client.seal(connectRequest("127.0.0.1", origin.port).subarray(0, 5), level === 2);
        client.send(request, bad(client, request));
        // Where it still can, the proxy answers; the reply is sealed (RFC 1928 §6).
        assert.equal((await client.open(level === 2))[1], 0x01);
        const record = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([record.code, record.destination], [code, null]);
        client.close();
      });
    }

    await context.test("the stream ends inside a token", async () => {
      Object.assign(visited, { data: deferred(), reset: deferred() });
      const client = await RawClient.through(proxy, origin);
      client.send(client.seal(HELLO));
      // Apart from the reset: libuv takes one that comes together with data for an end.
      assert.equal(await visited.data.promise, "hello");
      client.send(client.seal(MORE).subarray(0, 30));
      client.socket.end();
      assert.equal(await visited.reset.promise, "ECONNRESET");
      assert.equal((await proxy.audit((each) => each.client === client.address)).code, "TRUNCATED");
      client.close();
    });
  });
}
