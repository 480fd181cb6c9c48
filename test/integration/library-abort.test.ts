// AbortSignal: each way to open something gives up at each phase (before it begins, while the proxy is dialed, says
// nothing, has not answered the first token, has not replied) and ends what is open, always as ABORTED with the signal's
// reason as its cause; the connection to the proxy is closed then.
import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:http";
import { type TestContext, test } from "node:test";
import {
  bind,
  connect,
  createSocket,
  HttpAgent,
  NetworkError,
  type ProxyOptions,
  type ProxySocket,
  type ProxyStream,
  type UdpAssociation,
  udpAssociate,
} from "../../src/index.js";
import { deferred } from "../support/deferred.js";
import { Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

type Given = ProxyOptions & { destination: { host: string; port: number } };

/** Each rejects with what it fails with; never fulfilled but by what is open. */
const WAYS: Readonly<Record<string, (options: Given) => Promise<unknown>>> = {
  connect,
  bind: ({ destination, ...options }) => bind({ ...options, peer: destination }),
  udpAssociate: ({ destination: _, ...options }) => udpAssociate(options),
  createSocket: async (options) => {
    const socket = createSocket(options);
    await once(socket, "connect");
    return socket;
  },
  HttpAgent: async ({ destination, ...options }) => {
    await once(get({ ...destination, agent: new HttpAgent(options) }), "response");
  },
};

const REASON = new Error("enough of it");

function isAbort(error: unknown): true {
  assert.ok(error instanceof NetworkError, String(error));
  assert.equal(error.code, "ABORTED");
  assert.equal(error.cause, REASON);
  return true;
}

/** A proxy that says this much and no more. */
async function stuck(context: TestContext, answer: string) {
  const reached = deferred<void>();
  const gone = deferred<void>();
  const origin = await Origin.start((socket) => {
    let received = 0;
    socket.on("data", () => {
      // METHODs first; whatever follows an answer is the first token.
      received += 1;
      if (received === 1 && answer !== "") socket.write(Buffer.from(answer, "hex"));
      if (received === (answer === "" ? 1 : 2)) reached.resolve();
    });
    socket.on("end", () => socket.destroy()).on("close", () => gone.resolve());
  });
  context.after(() => origin.stop());
  return { port: origin.port, reached: reached.promise, gone: gone.promise };
}

test("before and during the handshake", async (context) => {
  const { proxy: real } = await proxiedRealm(context);
  const destination = { host: "127.0.0.1", port: 9 };
  const silent = await UnacceptingOrigin.start();
  context.after(() => silent.stop());

  for (const [name, open] of Object.entries(WAYS)) {
    await context.test(`${name}: aborted already`, async () => {
      const proxy = { host: "127.0.0.1", port: real.port };
      await assert.rejects(open({ proxy, destination, signal: AbortSignal.abort(REASON) }), isAbort);
    });

    await context.test(`${name}: while the proxy is dialed`, async () => {
      const controller = new AbortController();
      const proxy = { host: "127.0.0.1", port: silent.port };
      const failed = assert.rejects(open({ proxy, destination, signal: controller.signal }), isAbort);
      setImmediate(() => controller.abort(REASON));
      await failed;
    });

    for (const [phase, answer] of [
      ["before the METHOD is chosen", ""],
      ["during the token exchange", "0501"],
    ] as const) {
      await context.test(`${name}: ${phase}`, async (context) => {
        const stalled = await stuck(context, answer);
        const controller = new AbortController();
        const proxy = { host: "localhost", port: stalled.port };
        const failed = assert.rejects(open({ proxy, destination, signal: controller.signal }), isAbort);
        await stalled.reached;
        controller.abort(REASON);
        await failed;
        await stalled.gone;
      });
    }
  }
});

test("during the reply, and after", async (context) => {
  const { proxy: server } = await proxiedRealm(context);
  const proxy = { host: "localhost", port: server.port };
  const silent = await UnacceptingOrigin.start();
  context.after(() => silent.stop());
  const echo = await Origin.start((socket) => socket.pipe(socket));
  context.after(() => echo.stop());

  for (const name of ["connect", "createSocket", "HttpAgent"]) {
    await context.test(`${name}: while the destination is dialed`, async () => {
      const controller = new AbortController();
      const later = server.later();
      const destination = { host: "127.0.0.1", port: silent.port };
      const failed = assert.rejects(
        (WAYS[name] as typeof connect)({ proxy, destination, signal: controller.signal }),
        isAbort,
      );
      await server.waitForLog((line) => line.msg === "audit" && line.type === "decision" && later(line));
      controller.abort(REASON);
      await failed;
    });
  }

  await context.test("bind: while the peer is waited for", async () => {
    const controller = new AbortController();
    const binding = await bind({ proxy, peer: { host: "127.0.0.1", port: 0 }, signal: controller.signal });
    controller.abort(REASON);
    await assert.rejects(binding.accepted, { code: "ABORTED" });
  });

  await context.test("what is open ends", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const destination = { host: "127.0.0.1", port: echo.port };
    const given = { proxy, destination, signal };
    const open = (await Promise.all([connect(given), WAYS.createSocket?.(given)])) as [
      ProxyStream,
      ProxySocket,
    ];
    for (const stream of open) {
      stream.write("there");
      assert.equal(String((await once(stream, "data"))[0]), "there");
    }
    const association = (await udpAssociate({ proxy, signal })) as UdpAssociation;
    const ends = open.map((stream) => once(stream, "error"));
    const closed = once(association, "close");
    controller.abort(REASON);
    for (const [error] of [...(await Promise.all(ends)), await closed]) isAbort(error);
    for (const socket of echo.sockets)
      if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
    assert.throws(() => association.send(Buffer.from("x"), destination), { code: "CLOSED" });
  });

  await context.test("a signal that is aborted after the end changes nothing", async () => {
    const controller = new AbortController();
    const stream = await connect({
      proxy,
      destination: { host: "127.0.0.1", port: echo.port },
      signal: controller.signal,
    });
    stream.end("all");
    assert.equal(Buffer.concat(await stream.toArray()).toString(), "all");
    if (!stream.closed) await once(stream, "close");
    controller.abort(REASON);
    assert.equal(stream.errored, null);
  });
});
