/**
 * What is tested: an end on one side becomes an end on the other and the opposite direction goes on, whichever side
 * ends first, at every protection level, and even before the destination is there; and a cut connection is no end.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type ProtectionLevel, type ProxyStream } from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { hashSink, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

test("half-close", async (context) => {
  const config = { gssapi: { protectionLevels: ["confidentiality", "integrity", "none"] } };
  const { proxy } = await proxiedRealm(context, config);
  const open = async (origin: Origin, level: ProtectionLevel = "confidentiality"): Promise<ProxyStream> => {
    const stream = await connect({
      proxy: { host: "localhost", port: proxy.port },
      destination: { host: "127.0.0.1", port: origin.port },
      levels: [level],
    });
    context.after(() => stream.destroy());
    return stream;
  };
  const text = async (stream: ProxyStream) => Buffer.concat(await stream.toArray()).toString();

  for (const level of ["confidentiality", "integrity", "none"] as const) {
    await context.test(`the client ends first, the answer comes after, ${level}`, async () => {
      const origin = await Origin.start(hashSink);
      context.after(() => origin.stop());
      const stream = await open(origin, level);
      stream.end("abc");
      assert.equal(await text(stream), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    });

    await context.test(`the destination ends first, the client goes on, ${level}`, async () => {
      const received = deferred<string>();
      const origin = await Origin.start(async (socket) => {
        socket.end("farewell");
        received.resolve(Buffer.concat(await socket.toArray()).toString());
      });
      context.after(() => origin.stop());
      const stream = await open(origin, level);
      // Iterating to the end would destroy the stream with it.
      let farewell = "";
      stream.on("data", (octets) => {
        farewell += octets;
      });
      await once(stream, "end");
      assert.equal(farewell, "farewell");
      stream.end("said after the destination's end");
      assert.equal(await received.promise, "said after the destination's end");
    });
  }

  await context.test("the client ends while its destination is dialed", async () => {
    const origin = await UnacceptingOrigin.start();
    context.after(() => origin.stop());
    const client = await RawClient.ready(proxy);
    client.send(
      client.seal(connectRequest("127.0.0.1", origin.port)),
      client.seal(Buffer.from("last words")),
    );
    client.socket.end();
    await proxy.waitForLog((line) => line.msg === "request" && line.client === client.address);
    origin.accept();
    assert.equal((await client.open())[1], 0x00);
    assert.equal((await client.openOctets(10)).toString(), "last words");
    assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "end" });
    const record = await proxy.audit((each) => each.client === client.address);
    assert.deepEqual([record.outcome, record.bytesUp, record.bytesDown], ["completed", 10, 10]);
    client.close();
  });

  await context.test("a destination that resets makes no end for the client", async () => {
    const origin = await Origin.start((socket) => socket.once("data", () => socket.resetAndDestroy()));
    context.after(() => origin.stop());
    const stream = await open(origin);
    stream.write("go");
    await assert.rejects(text(stream), { code: "CONNECTION_LOST" });
    const record = await proxy.audit((each) => each.destination === `127.0.0.1:${origin.port}`);
    assert.deepEqual([record.outcome, record.code], ["failed", "CONNECTION_LOST"]);
    assert.match(String(record.reason), /destination/);
  });

  await context.test("a client that resets makes no end for the destination", async () => {
    const cut = deferred<NodeJS.ErrnoException>();
    const origin = await Origin.start((socket) => {
      socket.on("end", () => cut.reject(new Error("it saw an end"))).on("error", cut.resolve);
      socket.on("data", () => socket.write("go"));
    });
    context.after(() => origin.stop());
    const stream = await open(origin);
    stream.write("begin");
    await once(stream, "data");
    stream.destroy();
    assert.equal((await cut.promise).code, "ECONNRESET");
  });
});
