/** bench-peer, the native program that is client, origin and yardstick (test/bench/native). */
import { fileURLToPath } from "node:url";
import { type Running, start } from "../../support/processes.js";

const PROGRAM = fileURLToPath(new URL("../../../../build/bench-peer", import.meta.url));

type Env = Readonly<Record<string, string | undefined>>;

/** Milliseconds until any step is taken for hanging. */
const PATIENCE = 300_000;

/** Origin and relay: their ports, by name. */
export async function startPorts(
  args: readonly string[],
): Promise<{ process: Running; ports: Record<string, number> }> {
  const process = await start(PROGRAM, args);
  const [line] = await process.waitForLine(/^\{.*\}$/);
  return { process, ports: JSON.parse(line) };
}

export type Result = Readonly<Record<string, number>>;

/** A client that has prepared what it is to do. */
export class Load {
  readonly #process: Running;

  private constructor(process: Running) {
    this.#process = process;
  }

  static async prepare(args: readonly string[], env: Env): Promise<Load> {
    const process = await start(PROGRAM, args, { env });
    await process.waitForLine(/^ready$/, PATIENCE);
    return new Load(process);
  }

  begin(): void {
    this.#process.stdin.write("\n");
  }

  async result(): Promise<Result> {
    const [line] = await this.#process.waitForLine(/^\{.*\}$/, PATIENCE);
    return JSON.parse(line);
  }

  /** Begins the next step of one that has several, and waits for its end. */
  async step(name: string): Promise<Result> {
    this.begin();
    const [line] = await this.#process.waitForLine(new RegExp(`^\\{"step":"${name}".*\\}$`), PATIENCE);
    return JSON.parse(line);
  }

  /** Cuts it off, if it is at work or keeps sessions open. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }
}

/** Members by name: see crypto.c. */
export interface Crypto {
  integrity: CryptoCost;
  confidentiality: CryptoCost;
  /** Seconds for both ends of one context. */
  context: number;
}

/** Seconds: a GB, or a message. */
export type CryptoCost = Readonly<
  Record<"size" | "wrap" | "unwrap" | "wrapMessage" | "unwrapMessage", number>
>;

/** @param size of the messages; 0: as large as a token can hold */
export async function measureCrypto(
  env: Env,
  { size, bytes, contexts }: { size: number; bytes: number; contexts: number },
): Promise<Crypto> {
  const args = ["crypto", "--size", `${size}`, "--bytes", `${bytes}`, "--count", `${contexts}`];
  const process = await start(PROGRAM, args, { env, input: "" });
  try {
    const [line] = await process.waitForLine(/^\{.*\}$/, PATIENCE);
    return JSON.parse(line);
  } finally {
    await process.stop();
  }
}
