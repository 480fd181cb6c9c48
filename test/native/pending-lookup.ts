/**
 * A child process with a look-up that waits for a DNS server. Argument: how it ends, when a line comes in on standard
 * input. `exit`: process.exit; `return`: nothing keeps it but the look-up; `worker`: the look-up is a worker's, which is
 * terminated, and a second one, which begins then, outlives it.
 */
import { isMainThread, Worker } from "node:worker_threads";
import { native } from "../../src/gss/native.js";

const ending = process.argv[2];

async function lookUp(name: string): Promise<void> {
  await native.lookUpHost(name).catch((error: { code: string }) => console.log(`failed: ${error.code}`));
}

if (!isMainThread || ending !== "worker") void lookUp("first.example.test");
if (isMainThread) {
  const worker = ending === "worker" ? new Worker(new URL(import.meta.url)) : undefined;
  process.stdin.once("data", async () => {
    process.stdin.destroy();
    console.log("ending");
    if (ending === "exit") process.exit(7);
    if (worker === undefined) return;
    await worker.terminate();
    console.log("terminated");
    const waiting = setInterval(() => {}, 1000);
    await lookUp("second.example.test");
    clearInterval(waiting);
  });
} else {
  // The look-up alone would not keep it.
  setInterval(() => {}, 1000);
}
