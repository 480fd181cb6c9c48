/**
 * What is tested: a client, or a destination, that does not read while the other side sends without end stops the sender
 * at the price of bounded memory in the server process, at every protection level; others go on meanwhile, and when it
 * reads on, all arrives.
 */
import assert from "node:assert/strict";
import type { Writable } from "node:stream";
import { type TestContext, test } from "node:test";
import { connect, type ProtectionLevel, type ProxyStream } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { residentMemory, tcpEnd, until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { drink, pour, type Sum } from "../support/transfers.js";

/** What one session may cost more than it did before it carried anything. */
const MEMORY = 64 * 1024 * 1024;

/** More than all buffers on the way take: a sender that comes this far is not stopped. */
const FAR_TOO_MUCH = 512 * 1024 * 1024;

/** Sends until it is stopped. */
class Sender {
  readonly sum: Promise<Sum>;
  readonly #output: Writable;
  #written = 0;
  #enough = false;

  constructor(output: Writable) {
    this.#output = output;
    this.sum = pour(output, (written) => {
      this.#written = written;
      return this.#enough || written > FAR_TOO_MUCH;
    });
  }

  /**
   * Waits until nothing moves any more and backpressure is why: its own buffer is full, the kernel holds octets for
   * the server which has no room, and for the reader who has none either, and all of this stays so.
   */
  async blocked(toServer: [string, string], toReader: [string, string]): Promise<void> {
    let before = "";
    await until("the sender is stopped", () => {
      assert.ok(this.#written < FAR_TOO_MUCH, "the sender is never stopped");
      const ends = [tcpEnd(...toServer), tcpEnd(...toReader)];
      const now = JSON.stringify([this.#written, ends]);
      const same = now === before;
      before = now;
      return same && this.#output.writableNeedDrain && ends.every((end) => end?.stopped === true);
    });
  }

  finish(): Promise<Sum> {
    this.#enough = true;
    return this.sum;
  }
}

interface Session {
  stream: ProxyStream;
  /** Endpoints, `address:port`, of the four ends. */
  ends: { client: string; proxy: string; bound: string; destination: string };
}

async function open(
  context: TestContext,
  proxy: ProxyServer,
  origin: Origin,
  level: ProtectionLevel,
): Promise<Session> {
  context.after(() => origin.stop());
  const stream = await connect({
    proxy: { host: "localhost", port: proxy.port },
    destination: { host: "127.0.0.1", port: origin.port },
    levels: [level],
  });
  context.after(() => stream.destroy());
  assert.equal(stream.session.level, level);
  const destination = `127.0.0.1:${origin.port}`;
  const line = await proxy.waitForLog(({ msg, address }) => msg === "connected" && address === destination);
  const ends = {
    client: String(line.client),
    proxy: `127.0.0.1:${proxy.port}`,
    bound: String(line.bound),
    destination,
  };
  return { stream, ends };
}

const LEVELS: readonly ProtectionLevel[] = ["confidentiality", "integrity", "none"];

test("slow readers", async (context) => {
  const { proxy } = await proxiedRealm(context, { gssapi: { protectionLevels: LEVELS } });

  /** Another session, opened and used while one is stopped. */
  async function assertOthersGoOn(level: ProtectionLevel): Promise<void> {
    const { stream } = await open(context, proxy, await Origin.start(echo), level);
    stream.end("hello");
    assert.equal(Buffer.concat(await stream.toArray()).toString(), "hello");
  }

  function assertBounded(before: number): void {
    const more = residentMemory(proxy.pid) - before;
    assert.ok(more < MEMORY, `${more} octets more than before`);
  }

  async function assertCompleted(destination: string, carried: object): Promise<void> {
    const { outcome, bytesUp, bytesDown } = await proxy.audit((each) => each.destination === destination);
    assert.deepEqual(
      { outcome, bytesUp, bytesDown },
      { outcome: "completed", bytesUp: 0, bytesDown: 0, ...carried },
    );
  }

  for (const level of LEVELS) {
    await context.test(`the client does not read, ${level}`, async (t) => {
      const sender = deferred<Sender>();
      const begin = deferred<void>();
      const origin = await Origin.start(async (socket) => {
        await begin.promise;
        sender.resolve(new Sender(socket.resume()));
      });
      const { stream, ends } = await open(t, proxy, origin, level);
      const before = residentMemory(proxy.pid);
      begin.resolve();
      const sending = await sender.promise;
      await sending.blocked([ends.destination, ends.bound], [ends.proxy, ends.client]);
      assertBounded(before);
      await assertOthersGoOn(level);

      const [sent, received] = await Promise.all([sending.finish(), drink(stream)]);
      assert.deepEqual(received, sent);
      stream.end();
      await assertCompleted(ends.destination, { bytesDown: sent.octets });
    });

    await context.test(`the destination does not read, ${level}`, async (t) => {
      const origin = await Origin.start(() => {});
      const { stream, ends } = await open(t, proxy, origin, level);
      const before = residentMemory(proxy.pid);
      const sending = new Sender(stream.resume());
      await sending.blocked([ends.client, ends.proxy], [ends.bound, ends.destination]);
      assertBounded(before);
      await assertOthersGoOn(level);

      const [socket] = origin.sockets;
      assert.ok(socket);
      const [sent, received] = await Promise.all([sending.finish(), drink(socket)]);
      assert.deepEqual(received, sent);
      socket.end();
      await assertCompleted(ends.destination, { bytesUp: sent.octets });
    });
  }
});
