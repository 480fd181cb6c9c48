import { Worker } from "node:worker_threads";
import { UsageError } from "../errors.js";
import type { HashAnswer, HashQuestion } from "./password-hash-worker.js";

interface Asked {
  resolve(matches: boolean): void;
  reject(error: unknown): void;
}

/**
 * Checks hashes in a thread of its own, one at a time: connections go on meanwhile, and no number of attempts takes
 * more than one processor and the memory of one hash. The thread begins with the first check and holds no process.
 */
export class HashWorker {
  #worker: Worker | null = null;
  #closed = false;
  /** In the order they were asked, which is that of the answers. */
  readonly #asked: Asked[] = [];

  /** @param hash one that parsePasswordHash took */
  verify(hash: string, password: Uint8Array): Promise<boolean> {
    if (this.#closed) return Promise.reject(closed());
    this.#worker ??= this.#start();
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      worker.ref();
      // A copy in memory of its own, which the thread gets and wipes: a Buffer's may be shared with others.
      const copy = Uint8Array.from(password);
      const question: HashQuestion = { hash, password: copy };
      worker.postMessage(question, [copy.buffer]);
    });
  }

  /** Checks under way are rejected; idempotent. */
  close(): void {
    this.#closed = true;
    void this.#worker?.terminate();
    this.#fail(closed());
  }

  #start(): Worker {
    const worker = new Worker(new URL("./password-hash-worker.js", import.meta.url));
    worker.on("message", (answer: HashAnswer) => {
      const asked = this.#asked.shift();
      if (this.#asked.length === 0) worker.unref();
      if ("failure" in answer) asked?.reject(answer.failure);
      else asked?.resolve(answer.matches);
    });
    // Out of memory, say; the next check begins another thread.
    worker.on("error", (error) => {
      this.#worker = null;
      this.#fail(error);
    });
    return worker;
  }

  #fail(error: unknown): void {
    for (const { reject } of this.#asked.splice(0)) reject(error);
  }
}

function closed(): UsageError {
  return new UsageError("HANDLE_CLOSED", "passwords are not checked any more");
}
