// The Ident server against queriers that misbehave: floods, garbage, silence, answers not taken, too many connections.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { type TestContext, test } from "node:test";
import type { ServerEvent } from "../../../src/observability/events.js";
import { IdentServer, type IdentServerLimits } from "../../../src/server/ident-server.js";
import { Proxying } from "../../support/outgoing.js";

const LIMITS: IdentServerLimits = { connections: 4, connectionsPerSource: 2, idle: 60_000 };

/** A hundred times as much to take as to ask for. */
const LONG = { session: "s", user: "u".repeat(512) };

interface Scene {
  port: number;
  events: ServerEvent[];
  server: IdentServer;
}

async function scene(t: TestContext, limits: Partial<IdentServerLimits> = {}): Promise<Scene> {
  const proxying = await (await Proxying.prepare(t)).open();
  proxying.outgoing.add({ address: "127.0.0.1", port: 7 }, { address: "127.0.0.1", port: 7 }, LONG);
  const events: ServerEvent[] = [];
  const sources = { socket: proxying.socket, forward: null, unknown: "NO-USER" } as const;
  const server = new IdentServer(
    { ...sources, address: { host: "127.0.0.1", port: 0 } },
    (event) => void events.push(event),
    { ...LIMITS, ...limits },
  );
  await server.start();
  t.after(() => server.stop());
  const [listening] = events;
  assert.ok(listening?.type === "listening");
  return { port: listening.port as number, events, server };
}

async function querier(t: TestContext, port: number, from = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  t.after(() => socket.destroy());
  // One that is refused may be reset before we know that it was connected.
  await new Promise((settled) => socket.on("error", settled).on("connect", settled));
  return socket;
}

/** Whether by an end or a reset. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.closed ? resolve() : socket.on("close", () => resolve())));
}

async function toEnd(socket: Socket): Promise<string> {
  return Buffer.concat(await socket.toArray()).toString();
}

test("octet by octet, with a bare LF, and an end before the end of the line", async (t) => {
  const socket = await querier(t, (await scene(t)).port);
  socket.setNoDelay(true);
  for (const octet of "1,2\n3 , 4\r\n5,6") await new Promise((sent) => socket.write(octet, sent));
  socket.end();
  assert.equal(await toEnd(socket), "1,2:ERROR:NO-USER\r\n3,4:ERROR:NO-USER\r\n");
});

test("many queries at once are answered in their order", async (t) => {
  const socket = await querier(t, (await scene(t)).port);
  const ports = Array.from({ length: 500 }, (_, index) => `${index + 1},1`);
  socket.end(ports.map((each) => `${each}\r\n`).join(""));
  assert.equal(await toEnd(socket), ports.map((each) => `${each}:ERROR:NO-USER\r\n`).join(""));
});

test("garbage behind a query: the query is answered, then it is over", async (t) => {
  for (const garbage of ["\x05\x01\x00\n", "x".repeat(1000), `${"\t".repeat(2000)}\n`]) {
    const socket = await querier(t, (await scene(t)).port);
    const got: Buffer[] = [];
    socket.on("data", (octets) => got.push(octets));
    socket.write(`1,2\r\n${garbage}`);
    await closed(socket);
    assert.equal(Buffer.concat(got).toString(), "1,2:ERROR:NO-USER\r\n0,0:ERROR:INVALID-PORT\r\n");
  }
});

test("who says nothing, or never ends the line, is let go", async (t) => {
  const { port } = await scene(t, { idle: 100 });
  const [silent, slow] = [await querier(t, port), await querier(t, port)];
  const trickle = setInterval(() => slow.write("1"), 20);
  t.after(() => clearInterval(trickle));
  await Promise.all([silent, slow].map((socket) => closed(socket.resume())));
});

test("who takes no answers gets no further ones, and is let go", async (t) => {
  const { port, events } = await scene(t, { idle: 1000 });
  const socket = await querier(t, port);
  socket.pause();
  const flood = Buffer.from("7,7\n".repeat(16_384));
  const pour = () => {
    while (!socket.destroyed && socket.write(flood));
  };
  socket.on("drain", pour);
  pour();
  await closed(socket);
  const answered = () => events.filter(({ type }) => type === "ident-answered").length;
  const count = answered();
  // Whatever was under way has come to its end when another is answered.
  const next = await querier(t, port);
  next.end("3,4\n");
  await toEnd(next);
  assert.ok(answered() <= count + 2, `${answered() - count} more answers`);
});

test("so many connections from one address, and so many in all; a place is given back", async (t) => {
  const { port, events } = await scene(t);
  const refused = () => events.filter(({ type }) => type === "connection-refused").length;
  const first = [await querier(t, port), await querier(t, port)];
  const third = await querier(t, port);
  await closed(third);
  assert.equal(refused(), 1);
  for (const from of ["127.0.0.2", "127.0.0.3"]) await querier(t, port, from);
  const fifth = await querier(t, port, "127.0.0.4");
  await closed(fifth);
  assert.equal(refused(), 2);
  first[0]?.end("1,2\n");
  assert.equal(await toEnd(first[0] as Socket), "1,2:ERROR:NO-USER\r\n");
  const again = await querier(t, port);
  again.end("1,2\n");
  assert.equal(await toEnd(again), "1,2:ERROR:NO-USER\r\n");
});

test("stopping ends what is open", async (t) => {
  const { port, server, events } = await scene(t);
  const socket = await querier(t, port);
  socket.write("1,2\n");
  await once(socket, "data");
  const gone = closed(socket);
  server.stop();
  await gone;
  assert.equal(events.at(-1)?.type, "stopped");
});

test("a querier's reset in the middle harms nobody", async (t) => {
  const { port } = await scene(t, { connections: 100, connectionsPerSource: 100 });
  for (let turn = 0; turn < 20; turn += 1) {
    const socket = await querier(t, port);
    socket.write("1,2\n".repeat(50));
    if (turn % 2 === 0) await once(socket, "data");
    socket.resetAndDestroy();
    await closed(socket);
  }
  const last = await querier(t, port);
  last.end("1,2\n");
  assert.equal(await toEnd(last), "1,2:ERROR:NO-USER\r\n");
});

test("a Unix socket that is not there is told, and the answer is that nobody is known", async (t) => {
  const proxying = await Proxying.prepare(t);
  const events: ServerEvent[] = [];
  const nowhere = path.join(path.dirname(proxying.socket), "nowhere.sock");
  const sources = { socket: nowhere, forward: null, unknown: "HIDDEN-USER" } as const;
  const server = new IdentServer(
    { ...sources, address: { host: "::1", port: 0 } },
    (event) => void events.push(event),
  );
  await server.start();
  t.after(() => server.stop());
  const [listening] = events;
  assert.ok(listening?.type === "listening");
  const socket = connect({ port: listening.port as number, host: "::1" });
  socket.end("1,2\n");
  assert.equal(await toEnd(socket), "1,2:ERROR:HIDDEN-USER\r\n");
  assert.deepEqual(
    events.slice(1).map((event) => ("source" in event ? [event.type, event.source] : event.type)),
    [
      ["ident-source-failed", "proxy"],
      ["ident-answered", null],
    ],
  );
});
