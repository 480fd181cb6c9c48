/**
 * What is tested: the deadlines of a server process. A handshake that is silent or comes one octet at a time, in each of
 * its steps; a destination that does not answer; a session that carries nothing, or that lasts too long: what the client
 * and the destination see, what the log says, and that others are not disturbed.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { deferred } from "../support/deferred.js";
import { echo, ending, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyConfig, ProxyServer } from "../support/proxy.js";
import { connectRequest, RawClient } from "../support/raw-client.js";
import { UnacceptingOrigin } from "../support/unaccepting-origin.js";

async function start(context: TestContext, timeouts: Record<string, string>) {
  const config: ProxyConfig = { timeouts: { drain: "0s", ...timeouts } };
  const { proxy } = await proxiedRealm(context, config);
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());
  return { proxy, origin };
}

/** What the log tells of a session that failed: one line, and the audit record. */
async function assertFailed(
  proxy: ProxyServer,
  client: RawClient,
  [step, code, reason]: readonly [string, string, RegExp],
): Promise<void> {
  const record = await proxy.audit((each) => each.client === client.address);
  const lines = proxy.log().filter((line) => line.msg === "session failed" && line.client === client.address);
  assert.deepEqual(
    lines.map((line) => [line.severity, line.step, line.code]),
    [["warn", step, code]],
  );
  assert.match(String(lines[0]?.reason), reason);
  assert.deepEqual([record.outcome, record.code, record.reason], ["failed", code, lines[0]?.reason]);
}

async function assertEchoes(client: RawClient): Promise<void> {
  client.send(client.seal(Buffer.from("hello")));
  assert.equal((await client.open()).toString(), "hello");
}

/** Does `what` again and again, at a pace that is slow for a computer, until the client is cut off. */
function again(context: TestContext, client: RawClient, what: () => void): void {
  const timer = setInterval(what, 50);
  const stop = () => clearInterval(timer);
  context.after(stop);
  client.socket.once("end", stop).once("close", stop);
}

// --- handshake ------------------------------------------------------------------------------------------------------

type Step = "connected" | "token" | "level" | "request";

async function reach(step: Step, proxy: ProxyServer): Promise<RawClient> {
  const client = await RawClient.connect(proxy.port);
  if (step === "token") await client.selectMethod();
  if (step === "level" || step === "request") await client.authenticate();
  if (step === "request") assert.equal(await client.negotiate(2), 2);
  return client;
}

const AS_LONG_AS_IT_GETS = Buffer.alloc(0xffff);
const LONG_NAME = connectRequest("a".repeat(255), 443);

interface Stall {
  name: string;
  step: Step;
  /** Sent one element at a time; nothing where absent. None is ever sent to its end. */
  slowly?: (client: RawClient) => Iterable<Buffer | number>;
}

const STALLS: Stall[] = [
  { name: "no octet at all", step: "connected" },
  { name: "method selection", step: "connected", slowly: () => [0x05, 0xff, ...Buffer.alloc(255, 0x01)] },
  { name: "before the first token", step: "token" },
  { name: "inside a token", step: "token", slowly: () => [0x01, 0x01, 0xff, 0xff, ...AS_LONG_AS_IT_GETS] },
  { name: "before the level", step: "level" },
  { name: "inside the level", step: "level", slowly: () => [0x01, 0x02, 0xff, 0xff, ...AS_LONG_AS_IT_GETS] },
  { name: "before the request", step: "request" },
  {
    name: "inside the request's token",
    step: "request",
    slowly: () => [0x01, 0x03, 0xff, 0xff, ...AS_LONG_AS_IT_GETS],
  },
  {
    name: "inside the request, each octet in a token of its own",
    step: "request",
    *slowly(client) {
      for (const octet of LONG_NAME) yield client.seal(Buffer.of(octet));
    },
  },
];

const FAREWELL: Readonly<Record<Step, { step: string; octets: number[] }>> = {
  connected: { step: "method selection", octets: [] },
  token: { step: "context establishment", octets: [0x01, 0xff] },
  level: { step: "protection level negotiation", octets: [0x01, 0xff] },
  // Sealed (RFC 1928 §6).
  request: { step: "request", octets: [0x05, 0x01, 0x00, 0x01, 0, 0, 0, 0, 0, 0] },
};

test("handshake", { concurrency: true }, async (context) => {
  const { proxy, origin } = await start(context, { handshake: "3s" });

  let stalling = STALLS.length;
  const stalls = STALLS.map(({ name, step, slowly }) =>
    context.test(name, async (t) => {
      const client = await reach(step, proxy);
      t.after(() => client.close());
      const parts = slowly?.(client)[Symbol.iterator]();
      if (parts !== undefined) again(t, client, () => client.send(parts.next().value as Buffer | number));
      const expected = FAREWELL[step];
      if (step === "request") assert.deepEqual([...(await client.open())], expected.octets);
      const { octets, how } = await client.farewell();
      stalling -= 1;
      assert.equal(how, "end");
      if (step !== "request") assert.deepEqual([...octets], expected.octets);
      await assertFailed(proxy, client, [
        expected.step,
        "HANDSHAKE_TIMEOUT",
        /^the handshake took longer than 3 s$/,
      ]);
    }),
  );
  // As long as any of them stalls, others come and go.
  const others = context.test("others are not disturbed", async () => {
    do {
      const client = await RawClient.through(proxy, origin);
      await assertEchoes(client);
      client.socket.end();
      assert.equal((await proxy.audit((each) => each.client === client.address)).outcome, "completed");
      client.close();
    } while (stalling > 0);
  });
  await Promise.all([...stalls, others]);
});

// --- connect --------------------------------------------------------------------------------------------------------

test("connect", async (context) => {
  const { proxy, origin } = await start(context, { connect: "1s" });
  const unaccepting = await UnacceptingOrigin.start();
  context.after(() => unaccepting.stop());
  const client = await reach("request", proxy);
  context.after(() => client.close());
  client.send(client.seal(connectRequest("127.0.0.1", unaccepting.port)));
  await proxy.waitForLog(({ msg, client: address }) => msg === "request" && address === client.address);

  const other = await RawClient.through(proxy, origin);
  context.after(() => other.close());
  await assertEchoes(other);
  assert.deepEqual([...(await client.open())], [0x05, 0x06, 0x00, 0x01, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "end" });
  await assertFailed(proxy, client, [
    "reply",
    "CONNECT_TIMEOUT",
    /^the destination did not answer within 1 s$/,
  ]);
  await assertEchoes(other);
});

// --- idle and total -------------------------------------------------------------------------------------------------

test("idle", async (context) => {
  const { proxy } = await start(context, { idle: "2s" });
  const taken = deferred<void>();
  const sink = await Origin.start((socket) => socket.once("data", () => taken.resolve()).resume());
  context.after(() => sink.stop());
  const source = await Origin.start((socket) => {
    const timer = setInterval(() => socket.write("tick"), 50);
    socket.once("close", () => clearInterval(timer));
  });
  context.after(() => source.stop());
  const open = async (destination: Origin) => {
    const client = await RawClient.through(proxy, destination);
    context.after(() => client.close());
    return client;
  };
  const expected = ["relay", "IDLE_TIMEOUT", /^nothing was carried for 2 s$/] as const;

  // These two begin first and carry something in one direction each.
  const up = await open(sink);
  again(context, up, () => up.send(up.seal(Buffer.from("tick"))));
  await taken.promise;
  const down = await open(source);
  await down.open();

  await context.test("a session that carries nothing is cut on both sides", async () => {
    const atOrigin = deferred<string>();
    const origin = await Origin.start((socket) => {
      echo(socket);
      void ending(socket).then(atOrigin.resolve);
    });
    context.after(() => origin.stop());
    const client = await open(origin);
    await assertEchoes(client);
    (origin.sockets[0] as Socket)
      .on("end", () => atOrigin.resolve("an end"))
      .on("error", (error: NodeJS.ErrnoException) => atOrigin.resolve(String(error.code)));
    assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "reset" });
    assert.equal(await atOrigin.promise, "ECONNRESET");
    await assertFailed(proxy, client, expected);
  });

  await context.test("one whose client does not read is cut too", async () => {
    const gone = deferred<string>();
    const flood = await Origin.start((socket) => {
      const write = () => {
        while (socket.write(Buffer.alloc(65536)));
      };
      socket.on("drain", write);
      void ending(socket.resume()).then(gone.resolve);
      write();
    });
    context.after(() => flood.stop());
    const client = await open(flood);
    client.socket.pause();
    assert.match(await gone.promise, /^(ECONNRESET|EPIPE)$/);
    await assertFailed(proxy, client, expected);
  });

  const failed = proxy.log().filter(({ msg }) => msg === "session failed");
  const alive = [up, down].every((client) => failed.every((line) => line.client !== client.address));
  assert.ok(alive, "octets in one direction are enough");
});

test("total", async (context) => {
  const { proxy } = await start(context, { total: "1s" });
  const gone = deferred<string>();
  const sink = await Origin.start((socket) => void ending(socket.resume()).then(gone.resolve));
  context.after(() => sink.stop());
  const client = await RawClient.through(proxy, sink);
  context.after(() => client.close());
  again(context, client, () => client.send(client.seal(Buffer.from("tick"))));
  assert.deepEqual(await client.farewell(), { octets: Buffer.alloc(0), how: "reset" });
  // libuv takes a reset that comes together with data for an end.
  assert.match(await gone.promise, /^(ECONNRESET|an end)$/);
  await assertFailed(proxy, client, [
    "relay",
    "TOTAL_TIMEOUT",
    /^the session lasted 1 s, which is the limit$/,
  ]);
});
