import type { GssError } from "../errors.js";
import { supplementaryInfo } from "./flags.js";
import { toError } from "./gss-error.js";
import { type FastContextHandle, native } from "./native.js";

/** What became of frames; one object that the next call of the same context writes over. */
export interface OpenedFrames {
  /** Where the messages are, one behind the other. */
  offset: number;
  length: number;
  /** Of the first octet that was not taken: it begins no whole frame, or a bad one. */
  end: number;
  /** What is wrong with that frame's token, as gss_unwrap would tell; null where nothing is, or the next one tells. */
  failure: GssError | null;
  /** GSS_S_DUPLICATE_TOKEN, OLD, UNSEQ, GAP. */
  supplementary: number;
  confState: boolean;
}

/**
 * The keys of an established krb5 context, with tokens (RFC 4121) made and opened by the addon itself: the same octets
 * that the library would make, many tokens at once, for a fraction of the time (docs/decisions).
 */
export class FastContext {
  /** For the addon's relays, which take it over. */
  readonly handle: FastContextHandle;
  readonly #result = new Int32Array(5);
  readonly #opened: OpenedFrames = {
    offset: 0,
    length: 0,
    end: 0,
    failure: null,
    supplementary: 0,
    confState: false,
  };

  constructor(handle: FastContextHandle) {
    this.handle = handle;
  }

  /** What computes here, the preferred first; empty where this machine has only the library's calls. */
  static engines(): string[] {
    return native.fastPathEngines();
  }

  /** Seals `input[inStart, inEnd)` as frames (RFC 1961 §5) to the beginning of `output`; returns their length. */
  seal(conf: boolean, input: Uint8Array, inStart: number, inEnd: number, output: Uint8Array): number {
    return native.sealFrames(this.handle, conf, input, inStart, inEnd, output, 0, output.length);
  }

  /** Opens the whole frames of `buffer[start, end)` in place. */
  open(confRequired: boolean, buffer: Uint8Array, start: number, end: number): OpenedFrames {
    const result = this.#result;
    native.openFrames(this.handle, confRequired, buffer, start, end, result);
    const opened = this.#opened;
    const major = result[3] ?? 0;
    opened.offset = result[0] ?? 0;
    opened.length = result[1] ?? 0;
    opened.end = result[2] ?? 0;
    opened.supplementary = supplementaryInfo(major);
    opened.failure = major === opened.supplementary ? null : openFailure(major);
    opened.confState = result[4] === 1;
    return opened;
  }

  /** Zeroes the keys. Idempotent. */
  close(): void {
    this.handle.close();
  }
}

/** With the library's own text, and what it means. */
export function openFailure(major: number): GssError {
  const majorText = native.displayMajorStatus(major >>> 0);
  const call = "gss_unwrap (fast path)";
  return toError({
    code: "ERR_GSS",
    call,
    major: major >>> 0,
    majorText,
    minor: 0,
    minorText: "",
  }) as GssError;
}
