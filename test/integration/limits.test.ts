/**
 * What is tested: the limits on sessions at once, in all and from one source address, of a server process. A client too
 * many is reset and the log says who and why; a place is free again once its session is over, whether that ended in
 * good order, failed in the handshake or was reset; a client that was refused and stays keeps its place until it is
 * cut off.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { hasSocket, tcpEnd, until } from "../support/kernel.js";
import { echo, Origin } from "../support/origin.js";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { LogLine } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";

const [FIRST, SECOND, THIRD] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"] as const;

async function start(context: TestContext, sessions: number, perSource: number) {
  // Without a drain time the clients that are still there at the end don't keep the server.
  const { proxy } = await proxiedRealm(context, {
    limits: { sessions, perSource: { sessions: perSource } },
    timeouts: { drain: "0s" },
  });
  const origin = await Origin.start(echo);
  context.after(() => origin.stop());

  /** A session that works. */
  async function enter(source: string): Promise<RawClient> {
    const client = await RawClient.connect(proxy.port, "127.0.0.1", source);
    context.after(() => client.close());
    seen.add(client.address);
    await client.authenticate();
    assert.equal(await client.negotiate(2), 2);
    assert.equal(await client.request("127.0.0.1", origin.port), 0x00);
    client.send(client.seal(Buffer.from(source)));
    assert.equal((await client.open()).toString(), source);
    return client;
  }

  async function assertRefused(source: string, reason: string): Promise<void> {
    const socket = connect({ port: proxy.port, host: "127.0.0.1", localAddress: source }).resume();
    context.after(() => socket.destroy());
    const gone = new Promise<string>((resolve) => {
      socket
        .on("end", () => resolve("an end"))
        .on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    });
    const { severity, msg, client, ...line } = await proxy.waitForLog(isNew);
    seen.add(client);
    assert.deepEqual(
      [severity, msg, line.code, line.reason],
      ["warn", "connection refused", "LIMIT_REACHED", reason],
    );
    assert.ok(String(client).startsWith(`${source}:`), String(client));
    assert.equal(await gone, "ECONNRESET");
  }
  /** Clients of which the log has told, as opened or as refused. */
  const seen = new Set<unknown>();
  const isNew = ({ msg, client }: LogLine) =>
    (msg === "connection refused" || msg === "session opened") && !seen.has(client);

  /** The number of the server's end of it, and a wait until the server has closed that. */
  async function serverEnd(client: RawClient): Promise<{ closed(): Promise<void> }> {
    let inode = 0;
    await until(`${client.address} is accepted`, () => {
      inode = tcpEnd(`127.0.0.1:${proxy.port}`, client.address)?.inode ?? 0;
      return inode !== 0;
    });
    return { closed: () => until(`${client.address} is closed`, () => !hasSocket(proxy.pid, inode)) };
  }

  return { proxy, enter, assertRefused, serverEnd, seen };
}

const TWO_FROM_FIRST = "2 sessions are open from 127.0.0.1, which is the limit (limits.perSource.sessions)";
const THREE_IN_ALL = "3 sessions are open, which is the limit (limits.sessions)";

test("sessions in all and from one source", async (context) => {
  const { proxy, enter, assertRefused, serverEnd } = await start(context, 3, 2);
  const ended = await enter(FIRST);
  const reset = await enter(FIRST);
  await assertRefused(FIRST, TWO_FROM_FIRST);
  // Another source has places of its own, as long as there are any in all.
  await enter(SECOND);
  await assertRefused(SECOND, THREE_IN_ALL);
  await assertRefused(THIRD, THREE_IN_ALL);

  await context.test("a session that ended in good order leaves its place", async () => {
    const end = await serverEnd(ended);
    ended.socket.end();
    await end.closed();
    await enter(FIRST);
    await assertRefused(FIRST, THREE_IN_ALL);
  });

  await context.test("so does one whose client vanished", async () => {
    const end = await serverEnd(reset);
    reset.vanish();
    await end.closed();
    await enter(THIRD);
    await assertRefused(SECOND, THREE_IN_ALL);
  });

  const clients = proxy.log().filter(({ msg }) => msg === "connection refused");
  assert.equal(clients.length, 5, "one line for each refused client");
});

test("a session that failed in the handshake leaves its place", async (context) => {
  const { proxy, enter, assertRefused, serverEnd, seen } = await start(context, 1, 1);
  const full = "1 sessions are open, which is the limit (limits.sessions)";

  for (const [what, octets] of [
    ["the method selection", [0x04, 0x01]],
    ["context establishment", [0x05, 0x01, 0x01, 0x01, 0x01, 0x00, 0x01, 0x00]],
  ] as const) {
    await context.test(what, async () => {
      const client = await RawClient.connect(proxy.port);
      context.after(() => client.close());
      seen.add(client.address);
      const end = await serverEnd(client);
      client.send(...octets);
      assert.equal((await client.farewell()).how, "end");
      // It has had its farewell and does not go: its socket still counts.
      await assertRefused(FIRST, full);
      client.socket.end();
      await end.closed();
      // The place is there, and left in turn.
      const next = await enter(FIRST);
      const nextEnd = await serverEnd(next);
      next.socket.end();
      await nextEnd.closed();
    });
  }
});

test("a refused client that stays is cut off, and its place is free", async (context) => {
  const { proxy, enter, serverEnd } = await start(context, 1, 1);
  const client = await RawClient.connect(proxy.port);
  context.after(() => client.close());
  const end = await serverEnd(client);
  client.send(0x04, 0x01);
  await client.farewell();
  await end.closed();
  await enter(FIRST);
});
