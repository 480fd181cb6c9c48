import { type GssError, PolicyError } from "../errors.js";
import type { SecurityContext } from "../gss/security-context.js";
import { GSSAPI_HEADER, MAX_TOKEN, MTYP } from "../protocol/constants.js";
import { writeGssapiHeader } from "../protocol/gssapi-message.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { badToken, checkOrder, frameLength, notConfidential, type TokenEngine } from "./token-engine.js";

/** Beyond the mechanism's own overhead: what a frame may need more than gss_wrap_size_limit tells. */
const SLACK = 64;

/** A socket's read. */
const READ = 65536;

/** The library's calls, for every mechanism; one token after the other. */
export class LibraryEngine implements TokenEngine {
  readonly slice: number;
  readonly #context: SecurityContext;
  readonly #conf: boolean;
  readonly #confRequired: boolean;
  readonly #messageLimit: number;

  /** @param room octets of the buffers to seal into @throws PolicyError (LEVEL_IMPOSSIBLE) */
  constructor(context: SecurityContext, level: Exclude<ProtectionLevel, "none">, room: number) {
    this.#context = context;
    this.#conf = level !== "integrity";
    this.#confRequired = level === "confidentiality";
    this.#messageLimit = context.wrapSizeLimit(this.#conf, MAX_TOKEN);
    if (this.#messageLimit < 1)
      throw new PolicyError("LEVEL_IMPOSSIBLE", `the context cannot wrap at level ${level}`);
    const overhead = GSSAPI_HEADER + MAX_TOKEN - this.#messageLimit + SLACK;
    let frames = 1;
    const length = (count: number) => Math.min(READ, count * this.#messageLimit);
    while (length(frames) < READ && length(frames + 1) + (frames + 1) * overhead <= room) frames += 1;
    this.slice = length(frames);
  }

  seal(plain: Uint8Array, start: number, end: number, output: Buffer): number {
    const share = Math.ceil((end - start) / Math.ceil((end - start) / this.#messageLimit));
    let written = 0;
    for (let at = start; at < end; at += share) {
      const until = Math.min(at + share, end);
      const token = written + GSSAPI_HEADER;
      const length = this.#context.wrapInto(this.#conf, plain, at, until, output, token, output.length);
      writeGssapiHeader(output, written, MTYP.USER_DATA, length);
      written = token + length;
    }
    return written;
  }

  open(buffer: Buffer, start: number, end: number, opened: Buffer[]): number {
    let at = start;
    while (at < end) {
      const next = at + frameLength(buffer, at, end);
      if (next > end) break;
      this.#openToken(buffer, at + GSSAPI_HEADER, next, opened);
      at = next;
    }
    return at;
  }

  close(): void {}

  #openToken(buffer: Buffer, start: number, end: number, opened: Buffer[]): void {
    const { offset, length, confState, supplementary } = this.#unwrap(buffer, start, end);
    checkOrder(supplementary);
    if (this.#confRequired && !confState) throw notConfidential();
    if (length > 0) opened.push(buffer.subarray(offset, offset + length));
  }

  #unwrap(buffer: Buffer, start: number, end: number) {
    try {
      return this.#context.unwrapInPlace(buffer, start, end);
    } catch (error) {
      throw badToken(error as GssError);
    }
  }
}
