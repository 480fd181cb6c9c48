/**
 * What is tested: BIND sealed with a ticket. The peer that was asked for, from any port, and nobody else; where the client
 * asks for 0.0.0.0, every peer that the rules allow; and that no rule opens that without naming 0.0.0.0.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { proxiedRealm } from "../support/proxied-realm.js";
import type { ProxyServer } from "../support/proxy.js";
import { RawClient } from "../support/raw-client.js";

const BIND = (address: string) => Buffer.from([5, 2, 0, 1, ...address.split(".").map(Number), 0, 0]);

/** A reply's REP, address and port. */
function parse(reply: Buffer): { rep: number; address: string; port: number } {
  assert.deepEqual([reply[0], reply[3], reply.length], [5, 1, 10]);
  return { rep: reply[1] as number, address: reply.subarray(4, 8).join("."), port: reply.readUInt16BE(8) };
}

async function bound(proxy: ProxyServer, address: string) {
  const client = await RawClient.ready(proxy);
  return { client, ...parse(await client.ask(BIND(address))) };
}

function peer(
  context: TestContext,
  from: string,
  { address, port }: { address: string; port: number },
): Socket {
  const socket = connect({ host: address, port, localAddress: from }).on("error", () => {});
  context.after(() => socket.destroy());
  return socket;
}

async function assertReset(socket: Socket): Promise<void> {
  const [error] = await once(socket, "error");
  assert.equal(error.code, "ECONNRESET");
}

test("BIND", async (t) => {
  const rules = [{ deny: { to: ["127.0.0.9"] } }, { allow: { to: ["127.0.0.0/8", "0.0.0.0"] } }];
  const { proxy } = await proxiedRealm(t, { rules });

  await t.test("the peer that was asked for, and nobody else", async (t) => {
    const { client, rep, ...where } = await bound(proxy, "127.0.0.2");
    assert.equal(rep, 0);
    await assertReset(peer(t, "127.0.0.3", where));
    const expected = peer(t, "127.0.0.2", where);
    const second = parse(await client.open());
    assert.deepEqual([second.rep, second.address, second.port], [0, "127.0.0.2", expected.localPort]);
    client.send(client.seal(Buffer.from("up")));
    expected.end("down");
    assert.equal((await client.open()).toString(), "down");
    assert.equal(String(await once(expected, "data")), "up");
    client.socket.end();
    const record = await proxy.audit(({ client: from }) => from === client.address);
    assert.deepEqual(
      [record.command, record.destination, record.address, record.rule, record.outcome, record.level],
      ["bind", "127.0.0.2:0", `127.0.0.2:${second.port}`, 2, "completed", "confidentiality"],
    );
    assert.deepEqual([record.bytesUp, record.bytesDown], [2, 4]);
  });

  await t.test("0.0.0.0: anybody whom the rules allow", async (t) => {
    const { client, rep, ...where } = await bound(proxy, "0.0.0.0");
    assert.equal(rep, 0);
    await assertReset(peer(t, "127.0.0.9", where));
    const expected = peer(t, "127.0.0.3", where);
    const second = parse(await client.open());
    assert.deepEqual([second.rep, second.address, second.port], [0, "127.0.0.3", expected.localPort]);
    client.socket.destroy();
  });

  await t.test("a peer that no rule allows", async () => {
    assert.equal((await bound(proxy, "127.0.0.9")).rep, 2);
  });
});

test("no rule opens 0.0.0.0 that does not name it", async (t) => {
  const { proxy } = await proxiedRealm(t, { rules: [{ allow: { to: ["127.0.0.0/8"] } }, { allow: {} }] });
  const { client, rep } = await bound(proxy, "0.0.0.0");
  assert.equal(rep, 2);
  const { reason } = await proxy.audit(({ client: from }) => from === client.address);
  assert.match(String(reason), /protected destination: unspecified/);
});
