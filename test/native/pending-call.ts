/**
 * A child process with a call that waits for a KDC. Argument: how it ends, when a line comes in on standard input.
 * `exit`: process.exit; `return`: nothing keeps it but the call; `worker`: the call is a worker's, which is terminated.
 */
import { isMainThread, Worker } from "node:worker_threads";
import { native } from "../../src/gss/native.js";
import { GSS_C_NT_USER_NAME, GSS_MECH_KRB5 } from "../../src/gss/oids.js";

const ending = process.argv[2];

async function call(): Promise<void> {
  const user = native.importName(Buffer.from("alice@EXAMPLE.TEST"), GSS_C_NT_USER_NAME);
  const call = native.acquireCredWithPassword(user, Buffer.from("password"), 0, [GSS_MECH_KRB5], 1);
  user.close();
  await call.catch((error: { minorText: string }) => console.log(`failed: ${error.minorText}`));
}

if (!isMainThread || ending !== "worker") void call();
if (isMainThread) {
  const worker = ending === "worker" ? new Worker(new URL(import.meta.url)) : undefined;
  process.stdin.once("data", async () => {
    process.stdin.destroy();
    console.log("ending");
    if (ending === "exit") process.exit(7);
    if (worker === undefined) return;
    await worker.terminate();
    console.log(`terminated, ${native.indicateMechs().includes(GSS_MECH_KRB5)}`);
  });
}
