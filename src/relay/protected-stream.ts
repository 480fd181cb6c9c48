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
  readonly #socket: Socket;
  readonly #protection: MessageProtection;

  /**
   * Takes the socket over, not the protection.
   * @param early plain octets that are here already
   */
  constructor(socket: Socket, protection: MessageProtection, early: Buffer) {
    super({ allowHalfOpen: true, highWaterMark: 2 * SLICE });
    this.#socket = socket;
    this.#protection = protection;
    holdOpen(socket);
    this.bytesRead = early.length;
    if (early.length > 0) this.push(early);
    socket
      .on("data", (octets) => this.#received(octets))
      .on("end", () => this.#ended())
      .on("error", (error: NodeJS.ErrnoException) =>
        this.destroy(brokenBy("destination", error.code ?? error.message, error)),
      )
      .on("close", () => socket.readableEnded || this.destroy(brokenBy("destination", "it was closed")));
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
    cutOff(this.#socket);
    callback(error);
  }

  /** Slice by slice, each once the one before has left: what is held stays bounded. */
  #write(chunk: Buffer, at: number, callback: (error?: Error | null) => void): void {
    if (at >= chunk.length || this.destroyed) return callback();
    try {
      writeBatch(this.#socket, this.#protection.seal(chunk.subarray(at, at + SLICE)), (error) => {
        if (error) callback(error);
        else this.#write(chunk, at + SLICE, callback);
      });
    } catch (error) {
      callback(error as Error);
    }
  }

  #received(octets: Buffer): void {
    if (this.destroyed) return;
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
    if (broken !== null) return void this.destroy(brokenBy("destination", broken));
    try {
      this.#protection.end();
      this.push(null);
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}
