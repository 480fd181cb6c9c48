/**
 * Audit records in a file of their own, a JSON object a line. It is only ever appended to; where a write fails in the
 * middle of a line, that line's beginning is taken away again. Once the file has been moved away, the next record begins
 * another.
 *
 * Not pino's destination: that one can't say what is written, calls fsync on the main thread, and asks for nobody's
 * leave to go on when it fails.
 */
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { NetworkError } from "../errors.js";
import { type AuditEntry, type AuditSink, encode } from "./audit.js";

/** Milliseconds: fsync when so much time has passed since a record was written. */
export type Fsync = "never" | "always" | number;

/** How often it is looked whether the file has been moved away, in ms. */
const LOOK_AGAIN = 1000;

/** How often a pipe that is full is tried again, in ms. */
const PIPE_FULL = 20;

const NEWLINE = 0x0a;

/** A pipe that nobody reads must not hold a thread of the pool: neither now nor when it is full. */
const FLAGS =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY;

interface Opened {
  readonly handle: FileHandle;
  readonly dev: number;
  readonly ino: number;
  /** As far as we know; null where it is no regular file. */
  size: number | null;
}

export class AuditFile implements AuditSink {
  readonly #path: string;
  readonly #fsync: Fsync;
  #file: Opened;
  #looked = performance.now();
  #moved = false;
  /** Of a line whose beginning is written and could not be taken away. */
  #rest: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  /** Of an fsync that nobody waited for. */
  #failure: Error | null = null;
  #closed = false;

  /** @throws NetworkError (AUDIT_FILE) */
  static async open(path: string, fsync: Fsync): Promise<AuditFile> {
    try {
      return new AuditFile(path, fsync, await openFile(path));
    } catch (error) {
      throw new NetworkError("AUDIT_FILE", `the audit file can't be opened: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  private constructor(path: string, fsync: Fsync, file: Opened) {
    this.#path = path;
    this.#fsync = fsync;
    this.#file = file;
  }

  reopen(): void {
    this.#moved = true;
  }

  async write(entries: AuditEntry[]): Promise<void> {
    if (this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      throw failure;
    }
    await this.#writeRest();
    await this.#follow();
    const lines = entries.map((entry) => Buffer.from(`${encode(entry)}}\n`));
    const octets = Buffer.concat(lines);
    let done = 0;
    try {
      while (done < octets.length) done += await this.#append(octets.subarray(done));
    } catch (error) {
      await this.#leaveWhole(entries, lines, done);
      throw error;
    }
    if (this.#fsync === "always") await sync(this.#file);
    else if (this.#fsync !== "never") this.#timer ??= setTimeout(() => this.#syncLater(), this.#fsync);
    entries.length = 0;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await sync(this.#file).finally(() => this.#file.handle.close());
  }

  async #append(octets: Buffer): Promise<number> {
    while (!this.#closed) {
      try {
        const { bytesWritten } = await this.#file.handle.write(octets);
        if (this.#file.size !== null) this.#file.size += bytesWritten;
        return bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
        await delay(PIPE_FULL);
      }
    }
    throw new Error("closed");
  }

  /** `done` octets of `lines` are written: the last whole line is to be the last. */
  async #leaveWhole(entries: AuditEntry[], lines: readonly Buffer[], done: number): Promise<void> {
    let whole = 0;
    let count = 0;
    for (const line of lines) {
      if (whole + line.length > done) break;
      whole += line.length;
      count += 1;
    }
    entries.splice(0, count);
    const begun = done - whole;
    if (begun === 0 || (await this.#cut(begun))) return;
    this.#rest = (lines[count] as Buffer).subarray(begun);
    entries.splice(0, 1);
  }

  /** Takes the last octets away again, if nobody else has written since. */
  async #cut(octets: number): Promise<boolean> {
    const { handle, size } = this.#file;
    if (size === null) return false;
    try {
      if ((await handle.stat()).size !== size) return false;
      await handle.truncate(size - octets);
      this.#file.size = size - octets;
      return true;
    } catch {
      return false;
    }
  }

  async #writeRest(): Promise<void> {
    while (this.#rest.length > 0) this.#rest = this.#rest.subarray(await this.#append(this.#rest));
  }

  async #follow(): Promise<void> {
    const now = performance.now();
    if (!this.#moved) {
      if (now - this.#looked < LOOK_AGAIN) return;
      this.#looked = now;
      this.#moved = await this.#isElsewhere();
    }
    if (!this.#moved) return;
    const before = this.#file;
    // It may be moved away again while it is opened.
    this.#moved = false;
    try {
      this.#file = await openFile(this.#path);
    } catch (error) {
      this.#moved = true;
      throw error;
    }
    this.#looked = now;
    if (this.#fsync !== "never") await sync(before).catch((error) => this.#failed(error));
    await before.handle.close();
  }

  async #isElsewhere(): Promise<boolean> {
    try {
      const { dev, ino } = await stat(this.#path);
      return dev !== this.#file.dev || ino !== this.#file.ino;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
      throw error;
    }
  }

  #syncLater(): void {
    this.#timer = undefined;
    sync(this.#file).catch((error) => this.#failed(error));
  }

  #failed(error: Error): void {
    this.#failure = error;
  }
}

/** Whatever else was written to it last, what comes begins with a line of its own. */
async function openFile(path: string): Promise<Opened> {
  const handle = await open(path, FLAGS, 0o600);
  try {
    const status = await handle.stat();
    const { dev, ino, size } = status;
    const regular = status.isFile();
    const file: Opened = { handle, dev, ino, size: regular ? size : null };
    if (regular && size > 0 && (await lastOctet(path, size)) !== NEWLINE) {
      await handle.write("\n");
      file.size = size + 1;
    }
    return file;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function lastOctet(path: string, size: number): Promise<number | undefined> {
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    return bytesRead === 1 ? buffer[0] : undefined;
  } finally {
    await handle.close();
  }
}

/** Pipes and the like have nothing to sync. */
async function sync({ handle }: Opened): Promise<void> {
  await handle.datasync().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EINVAL") throw error;
  });
}
