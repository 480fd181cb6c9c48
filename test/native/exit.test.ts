/** The end of a process or a worker while a call waits for a KDC that does not answer. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Running, start } from "../support/processes.js";

const child = fileURLToPath(new URL("pending-call.js", import.meta.url));

let dir: string;
let silentKdc: Server;
before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "silent-"));
  silentKdc = createServer().listen(0, "127.0.0.1");
  await once(silentKdc, "listening");
  const { port } = silentKdc.address() as AddressInfo;
  const configuration = `[libdefaults]
  default_realm = EXAMPLE.TEST
  dns_lookup_kdc = false
  udp_preference_limit = 1
[realms]
  EXAMPLE.TEST = {
    kdc = 127.0.0.1:${port}
  }
`;
  await writeFile(path.join(dir, "krb5.conf"), configuration);
});
after(async () => {
  silentKdc.close();
  await rm(dir, { recursive: true });
});

/** A child whose call is with the KDC for certain: its connection is there. */
async function pending(
  ending: string,
  t: { after(hook: () => Promise<void>): void },
): Promise<[Running, Socket]> {
  const connection = once(silentKdc, "connection") as Promise<[Socket]>;
  const env = { KRB5_CONFIG: path.join(dir, "krb5.conf") };
  const running = await start(process.execPath, [child, ending], { env, test: t });
  const [socket] = await connection;
  socket.on("error", () => {});
  return [running, socket];
}

test("process.exit() waits for the call and keeps its exit code", async (t) => {
  const [running, kdc] = await pending("exit", t);
  running.stdin.write("go\n");
  await running.waitForLine(/^ending$/);
  kdc.destroy();
  assert.deepEqual(await running.exited, { code: 7, signal: null });
  // Nothing was reported: JavaScript had ended.
  assert.equal(running.stdout(), "ending\n");
});

test("a process with nothing else to do waits for the call and gets its failure", async (t) => {
  const [running, kdc] = await pending("return", t);
  running.stdin.write("go\n");
  await running.waitForLine(/^ending$/);
  kdc.destroy();
  assert.deepEqual(await running.exited, { code: 0, signal: null });
  assert.match(running.stdout(), /^failed: Cannot contact any KDC/m);
});

test("a signal does not wait", async (t) => {
  const [running, kdc] = await pending("return", t);
  process.kill(running.pid, "SIGTERM");
  assert.deepEqual(await running.exited, { code: null, signal: "SIGTERM" });
  kdc.destroy();
});

test("a worker that is terminated waits for its call; the main thread goes on", async (t) => {
  const [running, kdc] = await pending("worker", t);
  running.stdin.write("go\n");
  await running.waitForLine(/^ending$/);
  kdc.destroy();
  await running.waitForLine(/^terminated, true$/);
  assert.deepEqual(await running.exited, { code: 0, signal: null });
});
