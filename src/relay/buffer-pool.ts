/** Fixed-size buffers that are lent and given back, so that carrying data allocates nothing per chunk. */
export class BufferPool {
  readonly #size: number;
  readonly #kept: number;
  readonly #free: Buffer[] = [];

  /**
   * @param size octets of each buffer
   * @param kept buffers kept for reuse at most; more can be lent, the surplus is left to the garbage collector
   */
  constructor(size: number, kept: number) {
    this.#size = size;
    this.#kept = kept;
  }

  get size(): number {
    return this.#size;
  }

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#size);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < this.#kept) this.#free.push(buffer);
  }
}
