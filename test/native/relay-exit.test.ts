/** The end of a process or a worker while relays run: nobody waits for them, and no peer takes it for the end of its data. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Running, start } from "../support/processes.js";
import { Realm } from "../support/realm.js";
import { fate } from "../unit/relay/loopback.js";

const script = fileURLToPath(new URL("relaying.js", import.meta.url));

let realm: Realm;
before(async () => {
  realm = await Realm.start();
  await realm.kinit("alice");
});
after(() => realm.stop());

interface Relaying {
  running: Running;
  /** Both peers of a relay that runs. */
  session(): Promise<[client: Socket, destination: Socket]>;
}

async function relaying(t: TestContext, ending: string): Promise<Relaying> {
  const env = { ...realm.env, KRB5_TRACE: undefined };
  const running = await start(process.execPath, [script, ending], { env, test: t });
  const [, port] = await running.waitForLine(/^port (\d+)$/);
  const peer = async (): Promise<Socket> => {
    const socket = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
    t.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  return {
    running,
    async session() {
      const [client, destination] = [await peer(), await peer()];
      const [ready] = (await once(client, "data")) as [Buffer];
      assert.equal(ready.toString(), "ready");
      return [client, destination];
    },
  };
}

/** Has the relay's threads seal and write without a pause, for certain. */
async function busy([client, destination]: [Socket, Socket]): Promise<void> {
  client.on("error", () => {});
  destination.on("error", () => {});
  const piece = Buffer.alloc(1 << 20);
  const more = () => {
    while (destination.writable && destination.write(piece));
  };
  destination.on("drain", more);
  more();
  let received = 0;
  await new Promise<void>((resolve) => {
    client.on("data", (octets: Buffer) => {
      received += octets.length;
      if (received > 4 << 20) resolve();
    });
  });
}

for (const ending of ["exit", "SIGKILL"] as const) {
  test(`${ending}: at once, and peers see a reset`, async (t) => {
    for (let round = 0; round < 5; round++) {
      const { running, session } = await relaying(t, ending);
      const [client, destination] = await session();
      const fates = [fate(client), fate(destination)];
      for (let i = 0; i < 4; i++) await busy(await session());
      if (ending === "exit") running.stdin.write("go\n");
      else process.kill(running.pid, "SIGKILL");
      const exit = ending === "exit" ? { code: 7, signal: null } : { code: null, signal: ending };
      assert.deepEqual(await running.exited, exit, running.stderr());
      assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
    }
  });
}

test("a worker that is terminated: its peers see a reset, and the main thread goes on", async (t) => {
  const { running, session } = await relaying(t, "worker");
  const [client, destination] = await session();
  const fates = [fate(client), fate(destination)];
  for (let i = 0; i < 4; i++) await busy(await session());
  running.stdin.write("go\n");
  await running.waitForLine(/^terminated: 1$/);
  assert.deepEqual(await Promise.all(fates), ["ECONNRESET", "ECONNRESET"]);
  assert.deepEqual(await running.exited, { code: 0, signal: null }, running.stderr());
});

test("a process with nothing else to do lives as long as its relays", async (t) => {
  const { running, session } = await relaying(t, "return");
  const sessions = [await session(), await session()];
  running.stdin.write("go\n");
  await running.waitForLine(/^ending$/);
  for (const [client, destination] of sessions) {
    for (let turn = 0; turn < 20; turn++) {
      destination.write(".");
      await once(client, "data");
    }
    assert.doesNotMatch(running.stdout(), /nothing left to do/);
    const ends = [fate(client), fate(destination)];
    client.end();
    destination.end();
    assert.deepEqual(await Promise.all(ends), ["end", "end"]);
  }
  assert.deepEqual(await running.exited, { code: 0, signal: null }, running.stderr());
  assert.match(running.stdout(), /relay: ended\nrelay: ended\nnothing left to do\n$/);
});
