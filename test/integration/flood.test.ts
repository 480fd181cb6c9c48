/**
 * What is tested: octets that flood a server process while it is busy with a step: behind the method selection, behind a
 * token, and behind the request while the destination does not answer, in clear and sealed. It reads no more than a
 * bounded amount of them, then TCP stops the client; what was sent too early is data where that is right, and garbage
 * where it is not.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { Name } from "../../src/gss/name.js";
import { SecurityContext } from "../../src/gss/security-context.js";
import { MTYP } from "../../src/protocol/constants.js";
import { encodeGssapiMessage } from "../../src/protocol/gssapi-message.js";
import { residentMemory, tcpEnd, until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

const MEMORY = 64 * 1024 * 1024;
const FAR_TOO_MUCH = 512 * 1024 * 1024;

/** A client that is a flood; its own memory is bounded, too. */
class Flood {
  readonly #client: RawClient;
  readonly #hash = createHash("sha256");
  #sent = 0;
  #over = false;

  constructor(client: RawClient) {
    this.#client = client;
  }

  /** @param seal what goes over the wire for these plain octets */
  async run(seal: (plain: Buffer) => Buffer): Promise<void> {
    const { socket } = this.#client;
    while (!this.#over && this.#sent < FAR_TOO_MUCH) {
      const plain = Buffer.alloc(60_000, this.#sent % 251);
      this.#hash.update(plain);
      this.#sent += plain.length;
      if (!socket.write(seal(plain))) await once(socket, "drain");
    }
  }

  /** Waits until the server takes no more of it: nothing moves, and the kernel has found it without room. */
  async stopped(port: number): Promise<void> {
    let before = "";
    await until("the flood is stopped", () => {
      assert.ok(this.#sent < FAR_TOO_MUCH, "the flood is never stopped");
      const end = tcpEnd(this.#client.address, `127.0.0.1:${port}`);
      const now = JSON.stringify([this.#sent, end]);
      const same = now === before;
      before = now;
      return same && this.#client.socket.writableNeedDrain && end?.stopped === true;
    });
  }

  over(): { octets: number; sha256: string } {
    this.#over = true;
    return { octets: this.#sent, sha256: this.#hash.digest("hex") };
  }
}

const MANY = Buffer.alloc(20_000_000, 0x5a);

test("floods while the server is busy", async (context) => {
  const gssapi = { protectionLevels: ["confidentiality", "integrity", "none"] };
  const { proxy } = await proxiedRealm(context, { gssapi, timeouts: { drain: "0s" } });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  // The first session of a process costs more.
  (await RawClient.through(proxy, origin)).close();
  const before = residentMemory(proxy.pid);
  const assertBounded = () => {
    const more = residentMemory(proxy.pid) - before;
    assert.ok(more < MEMORY, `${more} octets more than before`);
  };

  await context.test("behind the method selection", async (t) => {
    const client = await RawClient.connect(proxy.port);
    t.after(() => client.close());
    client.send(0x05, 0x01, 0x01, MANY);
    assert.equal((await client.farewell()).octets.toString("hex"), "050101ff");
    const { code } = await proxy.audit((each) => each.client === client.address);
    assert.equal(code, "BAD_VERSION");
    assertBounded();
  });

  await context.test("behind a token", async (t) => {
    const client = await RawClient.connect(proxy.port);
    t.after(() => client.close());
    await client.selectMethod();
    const target = Name.import("rcmd@localhost");
    const initiator = SecurityContext.initiator({ target });
    t.after(() => {
      initiator.close();
      target.close();
    });
    const { token } = await initiator.init(null);
    client.send(encodeGssapiMessage(MTYP.AUTHENTICATION, token as Buffer), MANY);
    const answer = await client.message(MTYP.AUTHENTICATION);
    assert.ok((await initiator.init(answer)).complete, "the token was good");
    assert.equal((await client.farewell()).octets.toString("hex"), "01ff");
    const { code, principal } = await proxy.audit((each) => each.client === client.address);
    assert.deepEqual([code, principal], ["BAD_VERSION", "alice@EXAMPLE.TEST"]);
    assertBounded();
  });

  for (const level of [2, 1, 0]) {
    const conf = level === 2;
    await context.test(
      `behind the request, level ${level}: data, once the destination answers`,
      async (t) => {
        const unaccepting = await UnacceptingOrigin.start();
        t.after(() => unaccepting.stop());
        const client = await RawClient.connect(proxy.port);
        t.after(() => client.close());
        await client.authenticate();
        assert.equal(await client.negotiate(level), level);
        const seal = (plain: Buffer) => (level === 0 ? plain : client.seal(plain, conf));
        client.send(seal(connectRequest("127.0.0.1", unaccepting.port)));

        const flood = new Flood(client);
        const flooding = flood.run(seal);
        await flood.stopped(proxy.port);
        assertBounded();
        const other = await RawClient.through(proxy, origin);
        other.send(other.seal(Buffer.from("hello")));
        assert.equal((await other.open()).toString(), "hello");
        other.close();

        unaccepting.accept();
        const { octets, sha256 } = flood.over();
        const reply = level === 0 ? await client.read(10) : await client.open(conf);
        assert.equal(reply[1], 0x00);
        await flooding;
        client.socket.end();
        const hash = createHash("sha256");
        for (let left = octets; left > 0; ) {
          const plain = level === 0 ? await client.read(Math.min(left, 10_000)) : await client.open(conf);
          hash.update(plain);
          left -= plain.length;
        }
        assert.equal(hash.digest("hex"), sha256);
        assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "end" });
        const { outcome, bytesUp, bytesDown } = await proxy.audit((each) => each.client === client.address);
        assert.deepEqual([outcome, bytesUp, bytesDown], ["completed", octets, octets]);
      },
    );
  }

  await context.test("behind the request, cut where most of it is held", async (t) => {
    const unaccepting = await UnacceptingOrigin.start();
    t.after(() => unaccepting.stop());
    const client = await RawClient.connect(proxy.port);
    t.after(() => client.close());
    await client.authenticate();
    assert.equal(await client.negotiate(2), 2);
    // Just not enough for the server to stop reading, then a token that lacks its last octet.
    const request = client.seal(connectRequest("127.0.0.1", unaccepting.port));
    const first = client.seal(Buffer.alloc(65_000, 1));
    const second = client.seal(Buffer.alloc(65_000, 2));
    client.send(request, first, second.subarray(0, -1));
    await until("the server has read it", () => {
      const end = tcpEnd(`127.0.0.1:${proxy.port}`, client.address);
      return client.socket.writableLength === 0 && end?.receiveQueue === 0;
    });
    // That octet, and with it as much as one read of the socket may bring.
    const third = Array.from({ length: 30 }, () => client.seal(Buffer.alloc(2000, 3)));
    client.send(second.subarray(-1), ...third);

    unaccepting.accept();
    const reply = await client.open();
    if (reply[1] !== 0x00) {
      const { code, reason } = await proxy.audit((each) => each.client === client.address);
      assert.fail(`${code}: ${reason}`);
    }
    const back = await client.openOctets(65_000 + 65_000 + 60_000);
    assert.deepEqual([back[0], back[65_000], back[130_000]], [1, 2, 3]);
  });
});
