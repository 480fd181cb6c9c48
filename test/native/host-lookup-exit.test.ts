/** The end of a process or a worker while a look-up waits for a DNS server that does not answer. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { inNetworkNamespace } from "../support/network-namespace.js";
import { type Running, start } from "../support/processes.js";
import { SilentDnsServer } from "../support/silent-dns-server.js";

const SILENT = "127.0.0.54";

const NETWORK = {
  ip: [],
  // Longer than the tests may take.
  dns: [`nameserver ${SILENT}`, "options timeout:30 attempts:5"],
};

const child = fileURLToPath(new URL("pending-lookup.js", import.meta.url));

inNetworkNamespace(import.meta.url, NETWORK, () => {
  /** A child whose look-up is under way for certain: its query is there. */
  async function pending(t: TestContext, ending: string, env = {}): Promise<Running> {
    const silent = await SilentDnsServer.start(SILENT, 53);
    t.after(() => silent.stop());
    const running = await start(process.execPath, [child, ending], { env, test: t });
    await silent.wasAsked(1);
    running.stdin.write("go\n");
    return running;
  }

  test("process.exit() does not wait for it, and keeps its exit code", async (t) => {
    const running = await pending(t, "exit");
    assert.deepEqual(await running.exited, { code: 7, signal: null });
    assert.equal(running.stdout(), "ending\n");
  });

  test("nor does a process that has nothing else to do", async (t) => {
    const running = await pending(t, "return");
    assert.deepEqual(await running.exited, { code: 0, signal: null });
    assert.equal(running.stdout(), "ending\n");
  });

  test("nor a worker that is terminated; an answer that comes later is nobody's", async (t) => {
    const running = await pending(t, "worker", { RES_OPTIONS: "timeout:1 attempts:1" });
    await running.waitForLine(/^terminated$/);
    assert.deepEqual(await running.exited, { code: 0, signal: null });
    // By then the first one is over.
    assert.equal(running.stdout(), "ending\nterminated\nfailed: EAI_AGAIN\n");
  });
});
