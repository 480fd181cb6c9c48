// RFC 1961 §5 with real contexts: what is sealed is opened, however much it is and however the stream is cut.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { CLEAR } from "../../../src/relay/message-protection.js";
import { AES_ENCTYPES } from "../../support/enctypes.js";
import { contexts } from "./established-contexts.js";
import { drain, framesOf, openIn } from "./frames.js";
import { ENGINES, protect } from "./protections.js";

const SIZES = [0, 1, 2, 15, 16, 17, 4095, 65_407, 65_408, 65_535, 65_536, 65_537, 131_072, 1 << 20];
const LEVELS = ["integrity", "confidentiality", "selective"] as const;

for (const enctype of AES_ENCTYPES) {
  test(`sealed and opened, both ways (${enctype})`, async (t) => {
    const establish = await contexts(t, { enctypes: [enctype] });
    for (const [level, engine] of LEVELS.flatMap((each) =>
      ENGINES.map((engine) => [each, engine] as const),
    )) {
      const { initiator, acceptor } = await establish();
      const client = protect(initiator, level, engine);
      const server = protect(acceptor, level, engine);
      for (const size of SIZES) {
        const plain = randomBytes(size);
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          const original = Buffer.from(plain);
          const sealed = drain(from.seal(plain));
          assert.deepEqual(plain, original, "sealing leaves its input alone");
          for (const frame of framesOf(sealed)) assert.ok(frame.length <= 4 + 0xffff);
          if (size >= 15 && level !== "integrity") assert.equal(sealed.indexOf(plain.subarray(0, 15)), -1);
          assert.ok(drain(to.open(sealed)).equals(plain), `${size} octets at ${level}`);
          to.end();
        }
      }
      assert.deepEqual(client.counters, { sealed: server.counters.opened, opened: server.counters.sealed });
      assert.ok(client.counters.sealed > SIZES.reduce((sum, size) => sum + size));
    }
  });
}

test("no octets make no frame", async (t) => {
  const establish = await contexts(t);
  for (const engine of ENGINES) {
    const { initiator } = await establish();
    assert.deepEqual(protect(initiator, "integrity", engine).seal(Buffer.alloc(0)).buffers, []);
  }
});

for (const engine of ENGINES) {
  test(`the sealed stream may be cut anywhere (${engine})`, async (t) => {
    const establish = await contexts(t);
    const { initiator, acceptor } = await establish();
    const client = protect(initiator, "confidentiality", engine);
    const server = protect(acceptor, "confidentiality", engine);
    const writes = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 8 });
    const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(writes, sizes, (plains, cuts) => {
        const stream = Buffer.concat(plains.map((plain) => drain(client.seal(plain))));
        assert.deepEqual(openIn(server, stream, cuts), Buffer.concat(plains));
        server.end();
      }),
    );
    const plain = randomBytes(200_000);
    const stream = drain(client.seal(plain));
    assert.ok(openIn(server, stream, [1460]).equals(plain));
  });

  test(`the longest token that len can tell is opened (${engine})`, async (t) => {
    const establish = await contexts(t);
    for (const [level, conf] of [
      ["integrity", false],
      ["confidentiality", true],
    ] as const) {
      const { initiator, acceptor } = await establish();
      const plain = randomBytes(initiator.wrapSizeLimit(conf, 0xffff));
      const token = initiator.wrap(plain, conf);
      assert.ok(token.length > 0xffff - 32 && token.length <= 0xffff);
      const header = Buffer.from([1, 3, token.length >> 8, token.length & 0xff]);
      const server = protect(acceptor, level, engine);
      assert.ok(openIn(server, Buffer.concat([header, token]), [65_536]).equals(plain));
      assert.equal(drain(server.open(frameOf(initiator.wrap(Buffer.alloc(0), conf)))).length, 0);
    }
  });

  test(`a token of a peer that encrypts is taken at level integrity (${engine})`, async (t) => {
    const { initiator, acceptor } = await (await contexts(t))();
    const server = protect(acceptor, "integrity", engine);
    assert.equal(
      drain(server.open(frameOf(initiator.wrap(Buffer.from("sealed"), true)))).toString(),
      "sealed",
    );
  });
}

test("level none and connections without GSS-API: octets pass as they are", () => {
  const octets = Buffer.from("clear");
  assert.equal(drain(CLEAR.seal(octets)).toString(), "clear");
  assert.equal(drain(CLEAR.open(octets)).toString(), "clear");
  CLEAR.end();
  CLEAR.close();
});

function frameOf(token: Buffer): Buffer {
  return Buffer.concat([Buffer.from([1, 3, token.length >> 8, token.length & 0xff]), token]);
}
