/** The thread in which hashes are checked, one after the other. */
import { parentPort } from "node:worker_threads";
import { verifyPasswordHash } from "./password-hash.js";

export interface HashQuestion {
  readonly hash: string;
  /** Handed over: the asker's memory is empty then. */
  readonly password: Uint8Array;
}

export type HashAnswer = { readonly matches: boolean } | { readonly failure: unknown };

let last: Promise<void> = Promise.resolve();

parentPort?.on("message", (question: HashQuestion) => {
  last = last.then(async () => parentPort?.postMessage(await answer(question)));
});

async function answer({ hash, password }: HashQuestion): Promise<HashAnswer> {
  try {
    return { matches: await verifyPasswordHash(hash, password) };
  } catch (failure) {
    return { failure };
  } finally {
    password.fill(0);
  }
}
