import type { FastContext } from "../gss/fast-context.js";
import type { ProtectionLevel } from "../protocol/protection-level.js";
import { badToken, checkOrder, notConfidential, type TokenEngine } from "./token-engine.js";

/** The addon's own tokens, of krb5 with AES: all of a read at once. */
export class FastEngine implements TokenEngine {
  readonly slice = 65536;
  readonly context: FastContext;
  readonly conf: boolean;
  readonly confRequired: boolean;

  /** The context is closed with the engine. */
  constructor(context: FastContext, level: Exclude<ProtectionLevel, "none">) {
    this.context = context;
    this.conf = level !== "integrity";
    this.confRequired = level === "confidentiality";
  }

  seal(plain: Uint8Array, start: number, end: number, output: Buffer): number {
    return this.context.seal(this.conf, plain, start, end, output);
  }

  open(buffer: Buffer, start: number, end: number, opened: Buffer[]): number {
    const result = this.context.open(this.confRequired, buffer, start, end);
    if (result.failure !== null) throw badToken(result.failure);
    checkOrder(result.supplementary);
    if (this.confRequired && !result.confState) throw notConfidential();
    if (result.length > 0) opened.push(buffer.subarray(result.offset, result.offset + result.length));
    return result.end;
  }

  close(): void {
    this.context.close();
  }
}
