/** Standard input and output joined with a connection, where a thread of the addon can't do it. */
import { closeSync, fstatSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ProxyStream } from "../client/proxy-stream.js";
import { GssocksError, NetworkError } from "../errors.js";
import { outputFailed } from "./output.js";

/** Standard input to the stream and the stream to standard output, each ending on its own. */
export async function joinStdio(stream: ProxyStream): Promise<void> {
  const ended = await Promise.allSettled([
    pipeline(process.stdin, stream).catch(ignoreDestroyedInput),
    pipeline(stream, standardOutput()).catch(asOutputError),
  ]);
  const errors = ended.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
  // Either failure breaks the other pipeline too; ours is the one that tells why.
  const [error] = [...errors.filter((each) => each instanceof GssocksError), ...errors];
  if (error !== undefined) throw error;
}

/** Standard output that never blocks: Node writes to pipes synchronously, which would stop the other direction too. */
function standardOutput(): Writable {
  const kind = fstatSync(1);
  if (!kind.isFIFO() && !kind.isSocket()) return process.stdout;
  const output = new Socket({ fd: 1, readable: false, writable: true });
  // libuv leaves descriptors 0 to 2 open, and the reader would not see the end while standard input goes on.
  return output.once("close", () => closeSync(1));
}

function ignoreDestroyedInput(error: NodeJS.ErrnoException): void {
  if (error.code !== "ERR_STREAM_PREMATURE_CLOSE" || !process.stdin.destroyed) throw error;
}

function asOutputError(error: NodeJS.ErrnoException): never {
  if (error.code === "EPIPE") throw new NetworkError("OUTPUT_CLOSED", "standard output was closed");
  if (error.syscall !== "write" || error instanceof GssocksError) throw error;
  throw outputFailed(error);
}
