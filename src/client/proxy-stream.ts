/** The caller's end of a connection through the proxy: a Duplex of plain octets over the sealed socket. */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { NetworkError } from "../errors.js";
import type { SecurityContext } from "../gss/security-context.js";
import { writeBatch } from "../relay/batch.js";
import { brokenEnd, cutOff, endProperly, holdOpen } from "../relay/cut-off.js";
import type { MessageProtection } from "../relay/message-protection.js";
import type { Opened, ProxySession } from "./handshake.js";

/** Octets sealed in one go: the size of a socket's read, so that one batch fits one pooled buffer. */
const SLICE = 65536;

export class ProxyStream extends Duplex {
  readonly session: ProxySession;
  /** Octets of frames on the wire, both ways; 0 at level none. */
  readonly sealed = { sent: 0, received: 0 };
  readonly #socket: Socket;
  readonly #protection: MessageProtection;
  readonly #context: SecurityContext | null;

  /** Takes over what was opened. */
  constructor({ socket, context, protection, session, rest }: Opened) {
    super({ allowHalfOpen: true, highWaterMark: 2 * SLICE });
    this.session = session;
    this.#socket = socket;
    this.#context = context;
    this.#protection = protection;
    holdOpen(socket);
    if (rest.length > 0) this.push(rest);
    socket.on("data", (octets) => this.#received(octets));
    socket.on("end", () => this.#ended());
    socket.on("error", (error: NodeJS.ErrnoException) => this.destroy(lostBy(error)));
    socket.on("close", () => {
      if (!socket.readableEnded) this.destroy(lost("it was closed"));
    });
    if (socket.readableEnded) this.#ended();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#write(chunk, 0, callback);
  }

  /** A large write goes out slice by slice, each once the one before has left: what is held stays bounded. */
  #write(chunk: Buffer, at: number, callback: (error?: Error | null) => void): void {
    if (at >= chunk.length) return callback();
    const slice = chunk.subarray(at, at + SLICE);
    try {
      const batch = this.#protection.seal(slice);
      for (const buffer of batch.buffers) this.sealed.sent += buffer.length;
      writeBatch(this.#socket, batch, (error) => {
        if (error) callback(lostBy(error));
        else this.#write(chunk, at + SLICE, callback);
      });
    } catch (error) {
      callback(error as Error);
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    endProperly(this.#socket, () => callback());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // An unfinished transfer ends in a reset: RFC 1961 has no end mark of its own.
    cutOff(this.#socket);
    this.#protection.close();
    this.#context?.close();
    callback(error);
  }

  #received(octets: Buffer): void {
    if (this.destroyed) return;
    this.sealed.received += octets.length;
    try {
      // The memory goes to the reader for good, so a pooled batch is copied out of its buffer first.
      const batch = this.#protection.open(octets);
      for (const buffer of batch.buffers) {
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
    if (broken !== null) return void this.destroy(lost(broken));
    try {
      this.#protection.end();
      this.push(null);
    } catch (error) {
      this.destroy(error as Error);
    }
  }
}

function lostBy(error: NodeJS.ErrnoException): NetworkError {
  return lost(error.code ?? error.message, error);
}

/** @param why the code of a socket's error, or what else is known */
export function lost(why: string, cause?: Error): NetworkError {
  const message = `the connection to the proxy broke: ${why}`;
  return new NetworkError("CONNECTION_LOST", message, cause === undefined ? {} : { cause });
}
