import { type BigIntStats, constants } from "node:fs";
import { open } from "node:fs/promises";
import { ConfigError } from "../errors.js";

/**
 * The whole of a file that the configuration names. Neither a FIFO nor a device nor a file that grows holds us up.
 * @throws ConfigError where it can't be read, is no file or has more than `limit` octets
 */
export async function readRegularFile(
  path: string,
  limit: number,
): Promise<{ octets: Buffer; stats: BigIntStats }> {
  try {
    // Opening a FIFO would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat({ bigint: true });
      if (!stats.isFile()) throw new Error("it is no regular file");
      const buffer = Buffer.alloc(Math.min(Number(stats.size), limit) + 1);
      let size = 0;
      for (let got = -1; got !== 0 && size < buffer.length; size += got) {
        got = (await file.read(buffer, size, buffer.length - size, null)).bytesRead;
      }
      if (size > limit) throw new Error(`it is larger than ${limit} octets`);
      return { octets: buffer.subarray(0, size), stats };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

export function unreadable(path: string, error: unknown): ConfigError {
  return new ConfigError(path, [{ path: "", message: `can't be read: ${(error as Error).message}` }]);
}
