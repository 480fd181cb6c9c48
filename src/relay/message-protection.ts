/**
 * Per-message protection (RFC 1961 §5): a stream of octets to frames, and frames to octets.
 *
 *     +------+------+------+.......................+
 *     + ver  | mtyp | len  |       token           |
 *     +------+------+------+.......................+
 *     + 0x01 | 0x03 | 0x02 | up to 2^16 - 1 octets |
 *     +------+------+------+.......................+
 *
 * Both directions work in batches: `seal` makes whole frames out of one read, straight into pooled memory; `open` opens
 * every whole frame it was given, in place. Where the stream is cut into tokens carries no meaning.
 */
import type { FastContext } from "../gss/fast-context.js";
import type { SecurityContext } from "../gss/security-context.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import type { Batch } from "./batch.js";
import { BufferPool } from "./buffer-pool.js";
import { FastEngine } from "./fast-engine.js";
import { LibraryEngine } from "./library-engine.js";
import { frameLength, type TokenEngine, truncated } from "./token-engine.js";

/** How the stream changes on its way through one side; frames or plain octets. */
export interface MessageProtection {
  /** Plain octets to whole frames. */
  seal(plain: Uint8Array): Batch;
  /** Octets from the peer to plain octets. The memory of `received` may be written to. @throws PeerError, GssError */
  open(received: Buffer): Batch;
  /** @throws PeerError (TRUNCATED) where the peer ended its stream inside a frame */
  end(): void;
  /** Frees what is held; nothing may be called afterwards. */
  close(): void;
}

const NOTHING = Buffer.alloc(0);

const nothing = (): void => {};

/** Level none, and connections without GSS-API: the octets pass as they are. */
export const CLEAR: MessageProtection = {
  seal: (plain) => ({
    buffers: [Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength)],
    release: nothing,
  }),
  open: (received) => ({ buffers: [received], release: nothing }),
  end: nothing,
  close: nothing,
};

/** Room for the largest frame, and for one read of 64 KiB sealed as several. */
const pool = new BufferPool(65536 + 4096, 64);

/** Octets on the wire, frames included. */
export interface ProtectionCounters {
  sealed: number;
  opened: number;
}

/** TCP over an established security context, at level integrity, confidentiality or selective. */
export class ContextProtection implements MessageProtection {
  readonly counters: ProtectionCounters = { sealed: 0, opened: 0 };
  readonly level: Exclude<ProtectionLevel, "none">;
  readonly #context: SecurityContext;
  #engine: TokenEngine;
  #partial: Buffer | null = null;
  #partialLength = 0;

  /** The context stays the caller's to close. */
  constructor(context: SecurityContext, level: Exclude<ProtectionLevel, "none">) {
    this.#context = context;
    this.level = level;
    this.#engine = new LibraryEngine(context, level, pool.size);
  }

  /** What another needs to go on in this one's place, after which it is to be closed; null before `accelerate`. */
  lendable(): { context: FastContext; conf: boolean; confRequired: boolean; kept: Buffer } | null {
    if (!(this.#engine instanceof FastEngine)) return null;
    const { context, conf, confRequired } = this.#engine;
    return { context, conf, confRequired, kept: (this.#partial ?? NOTHING).subarray(0, this.#partialLength) };
  }

  /**
   * From here on without the library's calls, where that is possible: the same octets on the wire. The context is then
   * good for nothing but to be closed.
   *
   * @param lanes false: no token is worked on beside another
   * @returns whether it is so
   */
  accelerate(lanes = true): boolean {
    const fast = this.#context.exportFast(lanes);
    if (fast !== null) this.#engine = new FastEngine(fast, this.level);
    return fast !== null;
  }

  seal(plain: Uint8Array): Batch {
    const buffers: Buffer[] = [];
    const borrowed: Buffer[] = [];
    const slice = this.#engine.slice;
    for (let at = 0; at < plain.length; at += slice) {
      const output = pool.take();
      borrowed.push(output);
      const length = this.#engine.seal(plain, at, Math.min(at + slice, plain.length), output);
      buffers.push(output.subarray(0, length));
      this.counters.sealed += length;
    }
    return { buffers, release: () => borrowed.forEach(give) };
  }

  open(received: Buffer): Batch {
    this.counters.opened += received.length;
    const buffers: Buffer[] = [];
    const borrowed: Buffer[] = [];
    const at = this.#completePartial(received, buffers, borrowed);
    const end = at < received.length ? this.#engine.open(received, at, received.length, buffers) : at;
    if (end < received.length) {
      frameLength(received, end, received.length);
      this.#keepPartial(received, end);
    }
    return { buffers, release: () => borrowed.forEach(give) };
  }

  end(): void {
    if (this.#partialLength > 0) throw truncated();
  }

  close(): void {
    if (this.#partial !== null) pool.give(this.#partial);
    this.#partial = null;
    this.#partialLength = 0;
    this.#engine.close();
  }

  /** Goes on with the frame begun by an earlier call; returns how much of `received` that took. */
  #completePartial(received: Buffer, buffers: Buffer[], borrowed: Buffer[]): number {
    const partial = this.#partial;
    if (partial === null) return 0;
    let at = 0;
    let want = frameLength(partial, 0, this.#partialLength);
    while (this.#partialLength < want) {
      if (at === received.length) return at;
      const count = Math.min(want - this.#partialLength, received.length - at);
      received.copy(partial, this.#partialLength, at, at + count);
      this.#partialLength += count;
      at += count;
      want = frameLength(partial, 0, this.#partialLength);
    }
    this.#partial = null;
    this.#partialLength = 0;
    borrowed.push(partial);
    this.#engine.open(partial, 0, want, buffers);
    return at;
  }

  #keepPartial(received: Buffer, at: number): void {
    this.#partial = pool.take();
    this.#partialLength = received.copy(this.#partial, 0, at);
  }
}

function give(buffer: Buffer): void {
  pool.give(buffer);
}
