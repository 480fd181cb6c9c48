/** A socket and what protects it as one Duplex of plain octets, for those who know streams alone. */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { writeBatch } from "./batch.js";
import { brokenBy, brokenEnd, cutOff, endProperly, holdOpen } from "./cut-off.js";
import type { MessageProtection } from "./message-protection.js";

/** Octets sealed in one go: the size of a socket's read, so that one batch fits one pooled buffer. */
const SLICE = 65536;

export class ProtectedStream extends Duplex {
  /** Plain octets, as a socket counts them. */
  bytesRead: number;
  bytesWritten = 0;
  /** Octets on the wire, both ways. */
  readonly sealed = { sent: 0, received: 0 };
  readonly #socket: Socket;
  readonly #protection: MessageProtection;
  readonly #broken: (why: string, cause?: Error) => Error;

  /**
   * Takes the socket over, not the protection.
   * @param early plain octets that are here already
   * @param broken what is told where the connection breaks; `why` is the code of the socket's error, or what else is known
   */
  constructor(
    socket: Socket,
    protection: MessageProtection,
    early: Buffer,
    broken = (why: string, cause?: Error): Error => brokenBy("destination", why, cause),
  ) {
    super({ allowHalfOpen: true, highWaterMark: 2 * SLICE });
    this.#socket = socket;
    this.#protection = protection;
    this.#broken = broken;
    holdOpen(socket);
    this.bytesRead = early.length;
    if (early.length > 0) this.push(early);
    socket
      .on("data", (octets) => this.#received(octets))
      .on("end", () => this.#ended())
      .on("error", (error: NodeJS.ErrnoException) => this.destroy(this.#brokenBy(error)))
      .on("close", () => socket.readableEnded || this.destroy(this.#broken("it was closed")));
    if (socket.readableEnded) this.#ended();
  }

  /** As a socket has it: once all is written. */
  destroySoon(): void {
    if (this.writableFinished) return void this.destroy();
    this.once("finish", () => this.destroy());
    if (!this.writableEnded) this.end();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.bytesWritten += chunk.length;
    this.#write(chunk, 0, callback);
  }

  override _final(callback: () => void): void {
    endProperly(this.#socket, callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // An unfinished transfer ends in a reset: RFC 1961 has no end mark of its own.
    cutOff(this.#socket);
    callback(error);
  }

  #brokenBy(error: NodeJS.ErrnoException): Error {
    return this.#broken(error.code ?? error.message, error);
  }

  /** Slice by slice, each once the one before has left: what is held stays bounded. */
  #write(chunk: Buffer, at: number, callback: (error?: Error | null) => void): void {
    if (at >= chunk.length || this.destroyed) return callback();
    try {
      const batch = this.#protection.seal(chunk.subarray(at, at + SLICE));
      for (const buffer of batch.buffers) this.sealed.sent += buffer.length;
      writeBatch(this.#socket, batch, (error) => {
        if (error) callback(this.#brokenBy(error));
        else this.#write(chunk, at + SLICE, callback);
      });
    } catch (error) {
      callback(error as Error);
    }
  }

  #received(octets: Buffer): void {
    if (this.destroyed) return;
    this.sealed.received += octets.length;
    try {
      const batch = this.#protection.open(octets);
      for (const buffer of batch.buffers) {
        // The reader has it for good: what is in a pooled buffer is copied.
        this.bytesRead += buffer.length;
        const own = buffer.buffer === octets.buffer ? buffer : Buffer.from(buffer);
        if (!this.push(own)) this.#socket.pause();
      }
      batch.release();
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #ended(): void {
    const broken = brokenEnd(this.#socket);
    if (broken !== null) return void this.destroy(this.#broken(broken));
    try {
      this.#protection.end();
      this.push(null);
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
