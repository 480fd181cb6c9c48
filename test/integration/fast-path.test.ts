/**
 * What is tested: gssapi.fastPath and the client's fastPath, on and off, with krb5 and with SPNEGO around it: what
 * protects relayed data (by the log, and by where it cuts the stream into tokens), and that the other end, which uses
 * the library's calls alone, gets it whole.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { GSS_MECH_KRB5, GSS_MECH_SPNEGO } from "../../src/gss/oids.js";
import { connect } from "../../src/index.js";
import { hashSink, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { RawClient } from "../support/raw-client.js";

const DATA = randomBytes(4_000_000);
/** The fast path's tokens hold no more; the library's hold as much as fits, half a read. */
const LONGEST_PIECE = 16_384;

for (const fastPath of [true, false]) {
  test(`fastPath: ${fastPath}`, async (t) => {
    const { proxy } = await proxiedRealm(t, { gssapi: { fastPath } });

    await t.test("the log tells", async () => {
      const { engines } = await proxy.waitForLog(({ msg }) => msg === "message protection");
      const [first = "", ...more] = engines as string[];
      if (!fastPath) assert.deepEqual(engines, []);
      else if (more.length === 0) assert.equal(first, "OpenSSL");
      else assert.match(`${first}, ${more}`, /^libipsec-mb [0-9.]+, OpenSSL$/);
    });

    for (const [name, mechanism] of [
      ["krb5", GSS_MECH_KRB5],
      ["SPNEGO", GSS_MECH_SPNEGO],
    ] as const) {
      await t.test(`the server's tokens, ${name}`, async () => {
        const origin = await Origin.start((socket) => socket.end(DATA));
        const client = await RawClient.through(proxy, origin, { mechanism });
        const pieces: Buffer[] = [];
        for (let length = 0; length < DATA.length; length += pieces.at(-1)?.length ?? 0) {
          pieces.push(await client.open());
        }
        assert.ok(Buffer.concat(pieces).equals(DATA));
        const longest = Math.max(...pieces.map((piece) => piece.length));
        assert.equal(longest <= LONGEST_PIECE, fastPath, `a token of ${longest} octets`);
        client.close();
        await origin.stop();
      });

      await t.test(`the client's tokens, ${name}`, async () => {
        const origin = await Origin.start(hashSink);
        const stream = await connect({
          proxy: { host: "localhost", port: proxy.port },
          destination: { host: "127.0.0.1", port: origin.port },
          mechanism,
          fastPath,
        });
        stream.end(DATA);
        assert.equal((await stream.toArray()).join(""), createHash("sha256").update(DATA).digest("hex"));
        // Two tokens for each 64 KiB, of 64 octets beyond the message each; twice as many and more on the fast path.
        const overhead = stream.sealed.sent - DATA.length;
        assert.equal(overhead > 3 * 64 * (DATA.length / 65_536), fastPath, `${overhead} octets of overhead`);
        stream.destroy();
        await origin.stop();
      });
    }
  });
}
