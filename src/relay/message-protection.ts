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
import { type GssError, PeerError, PolicyError } from "../errors.js";
import { GSS_S_DUPLICATE_TOKEN, GSS_S_GAP_TOKEN, GSS_S_OLD_TOKEN, GSS_S_UNSEQ_TOKEN } from "../gss/flags.js";
import type { SecurityContext } from "../gss/security-context.js";
import { GSSAPI_HEADER, MAX_TOKEN, MTYP } from "../protocol/constants.js";
import { checkGssapiVersion, checkMtyp, writeGssapiHeader } from "../protocol/gssapi-message.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import type { Batch } from "./batch.js";
import { BufferPool } from "./buffer-pool.js";

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

/** Room for the largest frame, and for one read of 64 KiB sealed as two frames. */
const pool = new BufferPool(65536 + 4096, 64);

/** Beyond the mechanism's own overhead: what a frame may need more than gss_wrap_size_limit tells. */
const SLACK = 64;

const LOST: readonly [bit: number, code: string, what: string][] = [
  [GSS_S_DUPLICATE_TOKEN, "REPLAYED_TOKEN", "a token was replayed"],
  [GSS_S_OLD_TOKEN, "OLD_TOKEN", "a token is too old to be checked for replay"],
  [GSS_S_UNSEQ_TOKEN, "UNSEQUENCED_TOKEN", "a token came after a later one"],
  [GSS_S_GAP_TOKEN, "MISSING_TOKEN", "a token before this one is missing"],
];

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
  readonly #conf: boolean;
  readonly #confRequired: boolean;
  readonly #messageLimit: number;
  readonly #overhead: number;
  #partial: Buffer | null = null;
  #partialLength = 0;

  /** The context stays the caller's to close. */
  constructor(context: SecurityContext, level: Exclude<ProtectionLevel, "none">) {
    this.#context = context;
    this.level = level;
    this.#conf = level !== "integrity";
    this.#confRequired = level === "confidentiality";
    this.#messageLimit = context.wrapSizeLimit(this.#conf, MAX_TOKEN);
    if (this.#messageLimit < 1)
      throw new PolicyError("LEVEL_IMPOSSIBLE", `the context cannot wrap at level ${level}`);
    this.#overhead = GSSAPI_HEADER + MAX_TOKEN - this.#messageLimit + SLACK;
  }

  seal(plain: Uint8Array): Batch {
    const borrowed: Buffer[] = [];
    const buffers: Buffer[] = [];
    const frames = Math.max(1, Math.ceil(plain.length / this.#messageLimit));
    const share = Math.ceil(plain.length / frames);
    let output: Buffer = Buffer.alloc(0);
    let begin = 0;
    let end = 0;
    for (let at = 0; at < plain.length; at += share) {
      const until = Math.min(at + share, plain.length);
      if (end + until - at + this.#overhead > output.length) {
        if (end > begin) buffers.push(output.subarray(begin, end));
        output = pool.take();
        borrowed.push(output);
        begin = 0;
        end = 0;
      }
      const token = end + GSSAPI_HEADER;
      const length = this.#context.wrapInto(this.#conf, plain, at, until, output, token, output.length);
      writeGssapiHeader(output, end, MTYP.USER_DATA, length);
      end = token + length;
      this.counters.sealed += GSSAPI_HEADER + length;
    }
    if (end > begin) buffers.push(output.subarray(begin, end));
    return { buffers, release: () => borrowed.forEach(give) };
  }

  open(received: Buffer): Batch {
    this.counters.opened += received.length;
    const buffers: Buffer[] = [];
    const borrowed: Buffer[] = [];
    let at = this.#completePartial(received, buffers, borrowed);
    while (at < received.length) {
      const end = at + frameLength(received, at, received.length);
      if (end > received.length) {
        this.#keepPartial(received, at);
        break;
      }
      this.#openFrame(received, at, end, buffers);
      at = end;
    }
    return { buffers, release: () => borrowed.forEach(give) };
  }

  end(): void {
    if (this.#partialLength > 0) throw new PeerError("TRUNCATED", "the stream ended inside a token");
  }

  close(): void {
    if (this.#partial !== null) pool.give(this.#partial);
    this.#partial = null;
    this.#partialLength = 0;
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
    this.#openFrame(partial, 0, want, buffers);
    return at;
  }

  #keepPartial(received: Buffer, at: number): void {
    this.#partial = pool.take();
    this.#partialLength = received.copy(this.#partial, 0, at);
  }

  #openFrame(buffer: Buffer, start: number, end: number, buffers: Buffer[]): void {
    const opened = this.#unwrap(buffer, start + GSSAPI_HEADER, end);
    checkOrder(opened.supplementary);
    if (this.#confRequired && !opened.confState) {
      throw new PeerError("NOT_CONFIDENTIAL", "an integrity-only token under level confidentiality");
    }
    if (opened.length > 0) buffers.push(buffer.subarray(opened.offset, opened.offset + opened.length));
  }

  #unwrap(buffer: Buffer, start: number, end: number) {
    try {
      return this.#context.unwrapInPlace(buffer, start, end);
    } catch (error) {
      throw new PeerError("BAD_TOKEN", `a token could not be opened: ${(error as GssError).message}`, {
        cause: error,
      });
    }
  }
}

/**
 * GSS_ERROR masks these bits: the library calls such a token a success (RFC 2743 §1.2.3).
 * @param supplementary bits of the major status of gss_unwrap
 * @throws PeerError (REPLAYED_TOKEN, OLD_TOKEN, UNSEQUENCED_TOKEN, MISSING_TOKEN)
 */
export function checkOrder(supplementary: number): void {
  const lost = LOST.find(([bit]) => (supplementary & bit) !== 0);
  if (lost !== undefined) throw new PeerError(lost[1], lost[2]);
}

function give(buffer: Buffer): void {
  pool.give(buffer);
}

/** Length of the frame at `at`, or of its header while that is not all there. Checks each octet as soon as it is there. */
function frameLength(buffer: Buffer, at: number, end: number): number {
  if (end > at) checkGssapiVersion(buffer[at] as number);
  if (end > at + 1) checkMtyp(buffer[at + 1] as number, [MTYP.USER_DATA]);
  return end < at + GSSAPI_HEADER ? GSSAPI_HEADER : GSSAPI_HEADER + buffer.readUInt16BE(at + 2);
}
