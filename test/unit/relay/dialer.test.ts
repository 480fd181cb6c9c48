// Dialing over the loopback network: which address wins, what a failure is called, and that nothing is left open.
import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { NetworkError } from "../../../src/errors.js";
import { type Dialed, dial } from "../../../src/relay/dialer.js";
import { type Running, start } from "../../support/processes.js";
import { listen, portOf } from "./loopback.js";

const PATIENCE = { timeout: 10_000 };
/** Addresses of the loopback network at which nothing listens on a port that another address holds. */
const [DEAD, ALSO_DEAD, SILENT] = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];

function isNetworkError(code: string, rep: number, message = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof NetworkError, String(error));
    assert.deepEqual([error.code, error.rep], [code, rep]);
    assert.match(error.message, message);
    return true;
  };
}

/** A port of SILENT that never answers: its queue of connections is full, so that the kernel drops what comes. */
async function silentPort(test: TestContext, port: number): Promise<void> {
  const script = [
    "import socket, sys",
    "s = socket.socket()",
    `s.bind(("${SILENT}", ${port}))`,
    "s.listen(0)",
    "c = socket.create_connection(s.getsockname())",
    'print("full", flush=True)',
    "sys.stdin.read()",
  ].join("\n");
  const process: Running = await start("python3", ["-c", script]);
  test.after(() => process.stop());
  await process.waitForLine(/full/);
}

async function winner(test: TestContext, dialing: Promise<Dialed>): Promise<string> {
  const { address, socket } = await dialing;
  test.after(() => socket.destroy());
  assert.equal(socket.remoteAddress, address);
  return address;
}

test("the socket is paused, and can be half-closed", async (t) => {
  const server = await listen(t);
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const { socket } = await dial(["127.0.0.1"], portOf(server), PATIENCE);
  t.after(() => socket.destroy());
  const [peer] = await accepted;
  peer.end("early");
  assert.ok(socket.isPaused());
  assert.ok(socket.allowHalfOpen);
  assert.equal(socket.listenerCount("error"), 0);
  const [data] = (await Promise.all([once(socket, "data"), socket.resume()]))[0] as [Buffer];
  assert.equal(data.toString(), "early");
});

test("the first address that answers wins, in the order given", async (t) => {
  const server = await listen(t);
  const port = portOf(server);
  await listen(t, "127.0.0.5", port);
  const living = ["127.0.0.1", "127.0.0.5"];
  assert.equal(await winner(t, dial(living, port, PATIENCE)), "127.0.0.1");
  assert.equal(await winner(t, dial(living.toReversed(), port, PATIENCE)), "127.0.0.5");
  assert.equal(await winner(t, dial([DEAD, ALSO_DEAD, "127.0.0.1"], port, PATIENCE)), "127.0.0.1");
  assert.equal(await winner(t, dial(["127.0.0.1", DEAD], port, PATIENCE)), "127.0.0.1");
});

test("all refused: REP 0x05, and the first one's words", async (t) => {
  const port = portOf(await listen(t));
  const words = new RegExp(`^127\\.0\\.0\\.2 port ${port}: connection refused \\(ECONNREFUSED\\)$`);
  await assert.rejects(dial([DEAD], port, PATIENCE), isNetworkError("DESTINATION_REFUSED", 0x05, words));
  await assert.rejects(
    dial([DEAD, ALSO_DEAD], port, PATIENCE),
    isNetworkError("DESTINATION_REFUSED", 0x05, words),
  );
});

test("an address that does not answer", async (t) => {
  const port = portOf(await listen(t));
  await silentPort(t, port);
  const connecting = () => process.getActiveResourcesInfo().filter((name) => name === "ConnectWrap").length;

  await t.test("is given up when the time is over: REP 0x06", async () => {
    const words = new RegExp(`no answer from 127.0.0.4 port ${port} within 0.05 s`);
    const dialing = dial([SILENT], port, { timeout: 50 });
    const rejected = assert.rejects(dialing, isNetworkError("DIAL_TIMEOUT", 0x06, words));
    await new Promise(setImmediate);
    assert.equal(connecting(), 1);
    await rejected;
  });

  await t.test("does not keep a living one from winning", async () => {
    assert.equal(await winner(t, dial([SILENT, "127.0.0.1"], port, PATIENCE)), "127.0.0.1");
  });

  await t.test("nor a refusal from being waited out", async () => {
    await assert.rejects(
      dial([SILENT, DEAD], port, { timeout: 400 }),
      isNetworkError("DIAL_TIMEOUT", 0x06, /127\.0\.0\.4, 127\.0\.0\.2/),
    );
  });

  await t.test("is given up when the caller says so", async () => {
    const controller = new AbortController();
    const dialing = dial([SILENT], port, { ...PATIENCE, signal: controller.signal });
    controller.abort();
    await assert.rejects(dialing, isNetworkError("DIAL_ABORTED", 0x01));
    const early = dial(["127.0.0.1"], port, { ...PATIENCE, signal: AbortSignal.abort() });
    await assert.rejects(early, isNetworkError("DIAL_ABORTED", 0x01));
  });

  await t.test("and leaves nothing behind", async () => {
    // A closed handle is gone a turn or two of the loop later.
    for (let turn = 0; turn < 10 && connecting() > 0; turn += 1) await new Promise(setImmediate);
    assert.equal(connecting(), 0);
    assert.ok(!process.getActiveResourcesInfo().includes("Timeout"));
  });
});

test("an abort after the connection is made changes nothing", async (t) => {
  const port = portOf(await listen(t));
  const controller = new AbortController();
  const { socket } = await dial(["127.0.0.1"], port, { ...PATIENCE, signal: controller.signal });
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  controller.abort();
  assert.equal(socket.destroyed, false);
  socket.destroy();
});
